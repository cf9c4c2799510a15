"""The web server, as `make run` starts it, on a test's database."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from accounts.models import Organization
from tests import factories

PATIENCE_SECONDS = 60
HAND_OVER = """import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""
HEAD = b"Host: 127.0.0.1\r\nX-Request-Id: mine\r\n"


class Server:
    """On the database of that name. `listener` is a socket that is handed over as systemd does it."""

    def __init__(self, database: str, listener: socket.socket | None = None, **environment: str) -> None:
        self.port = listener.getsockname()[1] if listener else free_port()
        own = {
            "DATABASE_URL": database_url(database),
            "REDIS_URL": settings.REDIS_URL,
            "ANONYMOUS_RATE_LIMIT": "1000000",
        }
        own["REQUEST_TIMEOUT_SECONDS"] = "30"  # for machines that are busy with other tests
        command = [sys.executable, "-m", "config.web", "--port", str(self.port)]
        if listener:
            own["LISTEN_FDS"] = "1"
            command = [sys.executable, "-c", HAND_OVER, str(listener.fileno()), *command]
        self.process = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=os.environ | own | environment,
            stderr=subprocess.DEVNULL,  # a pipe that nobody reads fills up, and then the server waits
            pass_fds=[listener.fileno()] if listener else [],
        )
        until(lambda: self.process.poll() is not None or (self.workers() and self.get("/healthz")))

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS)

    def send(self, data: bytes, *, seconds: float = PATIENCE_SECONDS) -> bytes:
        """Everything that comes back, up to the end of the connection or of the body."""
        with self.connect() as client:
            client.settimeout(seconds)
            client.sendall(data)
            return read_answer(client)

    def get(self, path: str, *headers: str) -> bytes:
        try:
            return self.send(request("GET", path, *headers))
        except OSError:
            return b""

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_SECONDS)


def request(method: str, path: str, *headers: str, body: bytes | None = None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "X-Request-Id: mine", *headers]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def chunked(method: str, path: str, *headers: str, body: bytes, size: int = 3) -> bytes:
    """The same request, its body in chunks of so many bytes."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    kind = () if any(header.startswith("Content-Type") for header in headers) else ("Content-Type: application/json",)
    return request(method, path, *headers, *kind, "Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n"


def read_answer(client: socket.socket) -> bytes:
    answer = b""
    while part := client.recv(1 << 16):
        answer += part
        head, separator, body = answer.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if separator and lengths and len(body) >= int(lengths[0][15:]):
            break
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def until(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def database_url(name: str) -> str:
    """That of one of the databases of this test process."""
    return urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}").geturl()


@contextmanager
def running(database: str, listener: socket.socket | None = None, **environment: str) -> Iterator[Server]:
    server = Server(database, listener, **environment)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def customer(committed: None) -> Organization:
    """With an owner, and 100 credits."""
    organization = factories.organization(owner=factories.user("owner"))
    factories.credit(organization, 100)
    return organization


@pytest.fixture(scope="package")
def server(second_database: str) -> Iterator[Server]:
    with running(second_database) as server:
        yield server
