"""The HTTP server: the API under /v1, the pages for people, and the tests' control."""

import json
import socket
import struct
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.stripe import pages
from tests.stripe.calls import Calls, Cut
from tests.stripe.control import Control
from tests.stripe.errors import ApiError
from tests.stripe.faults import Faults
from tests.stripe.state import State
from tests.stripe.webhooks import Webhooks

RESET = struct.pack("ii", 1, 0)  # close without a farewell, so that the client sees the connection break


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if url.path.startswith("/control/"):
            self._control(url.path.rpartition("/")[2], json.loads(body or "{}"))
        elif url.path.startswith("/pages/"):
            self._page(method, url.path, {name: value[0] for name, value in parse_qs(body).items()})
        else:
            self._call(method, url.path, url.query if method == "GET" else body)

    def _call(self, method: str, path: str, encoded: str) -> None:
        try:
            reply = self.server.calls.answer(method, path, encoded, self.headers)
        except Cut:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.close_connection = True
            return
        self.server.webhooks.deliver_first()
        time.sleep(reply.delay)
        self._send(reply.status, reply.body, reply.headers)

    def _control(self, verb: str, arguments: dict[str, Any]) -> None:
        control = self.server.control
        if verb == "deliver":  # the receiver may call back meanwhile
            result, status = control.verbs[verb](**arguments), 200
        else:
            with self.server.state.lock:
                try:
                    result, status = control.verbs[verb](**arguments), 200
                except (ApiError, KeyError) as error:
                    result, status = {"error": repr(error)}, 400
                body = json.dumps(result).encode()
                return self._send(status, body, {"Content-Type": "application/json"})
        return self._send(status, json.dumps(result).encode(), {"Content-Type": "application/json"})

    def _page(self, method: str, path: str, form: dict[str, str]) -> None:
        control, (kind, id) = self.server.control, path.split("/")[2:4]
        with self.server.state.lock:
            if method == "GET":
                html = pages.checkout(self.server.state, id) if kind == "checkout" else pages.authentication()
                return self._send(200, html.encode(), {"Content-Type": "text/html; charset=utf-8"})
            if kind == "checkout":
                result = control.do_complete(id, form["card"])
            else:
                result = control.do_authenticate(id, form["succeeded"] == "true")
        return self._send(303, b"", {"Location": result.get("url") or self.path})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body)), "Request-Id": "req_stand_in"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # the client went away, which is what some tests want
            self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.state = State(address=f"http://127.0.0.1:{self.server_port}")
        faults, self.webhooks = Faults(), Webhooks(self.state)
        self.calls, self.control = Calls(self.state, faults), Control(self.state, faults, self.webhooks)
        self.webhooks.start()
