"""A request on a connection and its answer, in the form that ASGI has for them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httptools
import structlog

from config.web.limits import Refusal, malformed

if TYPE_CHECKING:
    from config.web.connection import Connection

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

FIRST_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
NO_PAGE = b"/v1/"  # what can't be read is answered as programs expect it
WITHOUT_BODY = {204, 304}
LARGE_BYTES = 64 << 10  # a part of a body up to this size goes out with the head

log = structlog.get_logger()


class Exchange:
    """`is_begun`: the body came in, or its client was told to send it. `is_complete`: all of it came in. `is_last`: the
    connection ends after the answer.
    """

    task: asyncio.Task[None]

    def __init__(self, connection: "Connection", refusal: Refusal | None) -> None:
        parser = connection.parser
        self.connection = connection
        self.is_last = not parser.should_keep_alive()
        self.version = parser.get_http_version()
        self.method = parser.get_method() if connection.target else b"GET"  # the parser has that of the request before
        path, query = _path_and_query(connection.target)
        if not path:
            refusal = refusal or malformed("The request's target is not a path.")
        if refusal and refusal.status == HTTPStatus.BAD_REQUEST:
            path = NO_PAGE
        self.scope: Scope = {
            **{"type": "http", "http_version": self.version, "method": self.method.decode(), "scheme": "http"},
            **{"raw_path": path, "query_string": query, "headers": connection.headers},
            **{"client": connection.client, "server": connection.server, "refusal": refusal},
        }
        self.parts: list[bytes] = []
        self.is_begun = self.is_complete = self.is_cut = False
        self.more: asyncio.Future[None] | None = None
        self.begun: Message | None = None
        self.is_bodyless = self.is_chunked = self.is_answered = False

    def start(self) -> None:
        self.task = self.connection.loop.create_task(self._run())

    async def _run(self) -> None:
        """An answer that fails on the way ends the connection: the client sees that it is too short."""
        try:
            await self.connection.worker.application(self.scope, self.receive, self.send)
        except (ConnectionError, Refusal):  # the client has left, or the next part wasn't there in time
            pass
        except Exception:
            log.exception("answer_failed")
        finally:
            if not self.is_answered:
                self.connection.transport.abort()

    def add(self, part: bytes) -> None:
        self.is_begun = True
        self.parts.append(part)
        self._wake()

    def complete(self) -> None:
        self.is_complete = True
        self._wake()

    def cut(self) -> None:
        """No more of the body will come."""
        self.is_cut = self.is_last = True
        self._wake()

    def _wake(self) -> None:
        if self.more and not self.more.done():
            self.more.set_result(None)

    async def receive(self) -> Message:
        """The next part of the body."""
        if not (self.parts or self.is_complete or self.is_cut):
            self._invite()
            self.more = self.connection.loop.create_future()
            await self.more
        if self.is_cut and not self.parts:
            return {"type": "http.disconnect"}
        body = b"".join(self.parts)
        self.parts.clear()
        return {"type": "http.request", "body": body, "more_body": not self.is_complete}

    def _invite(self) -> None:
        """Tells a client to send the body, if it waits for that. HTTP/1.0 has no such answer."""
        expected = {value.lower() for name, value in self.scope["headers"] if name == b"expect"}
        if not self.is_begun and self.version == "1.1" and b"100-continue" in expected:
            self.connection.transport.write(CONTINUE)
        self.is_begun = True

    async def send(self, message: Message) -> None:
        connection = self.connection
        if connection.is_lost:
            raise ConnectionResetError("The client has left.")
        if message["type"] == "http.response.start":
            self.begun = message
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        head = self._head(self.begun, len(body), more=more) if self.begun else b""
        self.begun = None
        if self.is_bodyless:
            body = b""
        elif self.is_chunked:
            body = _chunks(body, more=more)
        if len(body) > LARGE_BYTES:
            connection.transport.write(head)
            head = b""
        connection.transport.write(head + body)
        if connection.writable:  # a client that sends but doesn't read can't pile up answers
            await connection.writable
        if not more:
            self.is_answered = True
            connection.finish(self)

    def _head(self, begun: Message, size: int, *, more: bool) -> bytes:
        """Up to the empty line. A body of unknown length goes out in chunks, or ends with the connection."""
        status, headers = begun["status"], begun["headers"]
        self.is_bodyless = self.method == b"HEAD" or status in WITHOUT_BODY
        lines = [FIRST_LINES[status], *[b"%b: %b\r\n" % header for header in headers]]
        if not (self.is_bodyless or any(name == b"content-length" for name, _ in headers)):
            if not more:
                lines.append(b"content-length: %d\r\n" % size)
            elif self.version == "1.1":
                self.is_chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
            else:
                self.is_last = True
        self.is_last |= not self.is_complete or self.connection.worker.is_stopping
        if self.is_last:
            lines.append(b"connection: close\r\n")
        elif self.version == "1.0":  # its clients keep a connection only if they are told so
            lines.append(b"connection: keep-alive\r\n")
        head = b"".join(lines)
        if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines):
            raise ValueError("A header has a line break.")
        return head + _date(int(time.time()))


@lru_cache(1)
def _date(second: int) -> bytes:
    """The last header, and the line that ends the head."""
    return f"date: {formatdate(second, usegmt=True)}\r\n\r\n".encode()


def _chunks(part: bytes, *, more: bool) -> bytes:
    """An empty chunk would be the last one."""
    chunk = b"%x\r\n%b\r\n" % (len(part), part) if part else b""
    return chunk if more else chunk + b"0\r\n\r\n"


def _path_and_query(target: bytes) -> tuple[bytes, bytes]:
    """The path is empty if the target has none. The target may be a whole URL, as for a proxy."""
    if target.startswith(b"/"):
        path, _, query = target.partition(b"#")[0].partition(b"?")
        return path, query
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        return b"", b""
    return (url.path or b"/", url.query or b"") if url.host else (b"", b"")
