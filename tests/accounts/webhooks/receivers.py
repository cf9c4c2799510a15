"""Receivers that behave badly, each on a port of its own of this machine."""

import gzip
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Thread

Behaviour = Callable[[socket.socket], None]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@contextmanager
def receiver(behave: Behaviour) -> Iterator[tuple[str, list[socket.socket]]]:
    """The URL of a receiver, and the connections that it got."""
    listening = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connections.append(connection)
            Thread(target=_behave, args=(behave, connection), daemon=True).start()

    Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/hook", connections
    finally:
        listening.close()
        for connection in connections:
            connection.close()


def _behave(behave: Behaviour, connection: socket.socket) -> None:
    try:
        read(connection)
        behave(connection)
        connection.close()
    except OSError:
        pass


def read(connection: socket.socket) -> None:
    """Reads a request to the end of its JSON: who closes before that takes its answer back."""
    text = b""
    while not text.endswith(b"}"):
        chunk = connection.recv(65536)
        if not chunk:
            return
        text += chunk


def silent(connection: socket.socket) -> None:
    time.sleep(60)


def dripping_header(connection: socket.socket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1000:
        connection.send(bytes([byte]))
        time.sleep(0.2)


def dripping_body(connection: socket.socket) -> None:
    connection.send(HEAD + b"Content-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.send(b"a")
        time.sleep(0.2)


def endless_continue(connection: socket.socket) -> None:
    while True:
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.05)


def endless_body(connection: socket.socket) -> None:
    connection.send(HEAD + b"\r\n")
    while True:
        connection.send(b"a" * 65536)


def endless_headers(connection: socket.socket) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.send(b"X-More: " + b"a" * 1000 + b"\r\n")


@cache
def bomb() -> bytes:
    """200 MiB once it is decompressed."""
    return gzip.compress(bytes(1 << 20), compresslevel=9) * 200


def gzip_bomb(connection: socket.socket) -> None:
    body = bomb()
    connection.send(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body))
    connection.sendall(body)


def no_http(connection: socket.socket) -> None:
    connection.send(b"SSH-2.0-OpenSSH_9.6\r\n")


def redirecting(connection: socket.socket) -> None:
    connection.send(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")


def good(connection: socket.socket) -> None:
    connection.send(HEAD + b"Content-Length: 4\r\n\r\ngo\0d")
