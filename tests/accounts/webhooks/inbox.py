"""A receiver that stores the requests that it gets, and answers as configured."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import monotonic, sleep
from typing import Any


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Inbox:
    """`status` is what it answers next, after `seconds`. `most_at_once` counts requests that it had together."""

    url: str = ""
    status: int = 200
    seconds: float = 0
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[Received] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.requests]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A sender that was killed before it got its answer is no error here."""


@contextmanager
def inbox(**options: Any) -> Iterator[Inbox]:
    box = Inbox(**options)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            box.requests.append(Received(headers, body, monotonic()))
            box.at_once += 1
            box.most_at_once = max(box.most_at_once, box.at_once)
            sleep(box.seconds)
            box.at_once -= 1
            self.send_response(box.status)
            for name, value in box.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    box.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield box
    finally:
        server.shutdown()
        server.server_close()
