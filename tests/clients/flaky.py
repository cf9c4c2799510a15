"""A way to a server that loses answers: what was asked has happened, and nobody hears of it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from urllib.parse import urlsplit


@contextmanager
def saying(answer: bytes) -> Iterator[str]:
    """An address at which something else answers; with nothing to say, it never does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        callers = []

        def serve() -> None:
            with suppress(OSError):
                while True:
                    caller, _ = listener.accept()
                    callers.append(caller)
                    if answer:
                        _request(caller)
                        caller.sendall(answer)
                        caller.close()

        Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for caller in callers:
            caller.close()


@contextmanager
def losing(address: str, answers: int) -> Iterator[str]:
    """An address that passes everything on, but for the first so many answers."""
    target = urlsplit(address)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = [answers]

        def serve() -> None:
            with suppress(OSError):
                while True:
                    caller, _ = listener.accept()
                    _pass_on(caller, (str(target.hostname), int(target.port or 80)), left)

        Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _pass_on(caller: socket.socket, target: tuple[str, int], left: list[int]) -> None:
    with caller, socket.create_connection(target) as server:
        server.sendall(_request(caller))
        server.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: server.recv(65536), b""))
        if left[0] > 0:
            left[0] -= 1
        else:
            caller.sendall(answer)


def _request(caller: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += caller.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += caller.recv(65536)
    return head.replace(b"HTTP/1.1", b"HTTP/1.0", 1) + b"\r\n\r\n" + body
