"""HTTP/1.1 on one connection. The parser is httptools, which is that of Node.js (llhttp).

All of it happens in the event loop's thread: a second one, as servers have it that are written in another language,
costs more in switches than the reading of a request. What isn't HTTP, or is too much of it, is refused by the
application too, so every refusal is a problem document.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

import httptools

from config.web.exchange import Exchange
from config.web.limits import HEADERS_LIMIT_BYTES, TARGET_LIMIT_BYTES, Refusal, headers_too_large, malformed

if TYPE_CHECKING:
    from config.web.worker import Worker

READ_BYTES = 64 << 10
HEAD_LIMIT_BYTES = 2 * (TARGET_LIMIT_BYTES + HEADERS_LIMIT_BYTES)  # the application knows the limit of each
PIPELINED = 32  # requests that may be sent before the first one is answered; what follows these is not read
LEAVING_SECONDS = 4  # so long a client may go on sending what nobody reads any more
VERSIONS = {"1.0", "1.1"}
CONNECT = b"CONNECT"

_read = memoryview(bytearray(READ_BYTES))  # the parser copies what it keeps


class Connection(asyncio.BufferedProtocol):
    """Reads requests, and has each answered after the one before.

    `exchanges`: the requests that aren't answered yet, in order. `is_deaf`: nothing more is read as a request.
    `is_ended`: the client sends no more. `waits_since`: the event loop's time since which no request is under way.
    `head_size`: what came in since the last part of a body. After a body that is in chunks it is a trailer, which the
    parser keeps.
    """

    opening: asyncio.Task[object]
    transport: asyncio.Transport

    def __init__(self, worker: "Worker") -> None:
        self.worker, self.loop = worker, worker.loop
        self.parser = httptools.HttpRequestParser(self)
        self.exchanges: deque[Exchange] = deque()
        self.coming: Exchange | None = None  # the one whose body comes in
        self.target, self.headers = b"", list[tuple[bytes, bytes]]()
        self.head_size = 0
        self.waits_since: float | None = self.loop.time()
        self.is_deaf = self.is_ended = self.is_lost = False
        self.writable: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.client, self.server = transport.get_extra_info("peername"), transport.get_extra_info("sockname")

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        self.worker.forget(self)
        if self.coming:
            self.coming.cut()
        self.resume_writing()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _read

    def buffer_updated(self, size: int) -> None:
        if self.is_deaf:
            return
        try:
            self._parse(_read[:size])
        except httptools.HttpParserCallbackError:
            raise
        except httptools.HttpParserError:
            self._refuse(malformed("This isn't a request of HTTP/1.1, or its body is malformed."))
        else:
            self.head_size += size
            if self.head_size > HEAD_LIMIT_BYTES:
                self._refuse(headers_too_large())

    def _parse(self, data: memoryview | bytes) -> None:
        """We speak no other protocol, so an `Upgrade` is passed over: the head is read once more without it.

        The parser would take the request for one without a body, and what follows for the other protocol.
        """
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.is_deaf or self.parser.get_method() == CONNECT:
                self._stop_reading()
                return
            head = self._head_without_upgrade()
            self.parser = httptools.HttpRequestParser(self)
            self._parse(b"".join([head, data[upgrade.args[0] :]]))

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.target, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def eof_received(self) -> bool:
        """True keeps the connection open for the answers."""
        self.is_deaf = self.is_ended = True
        if self.coming:
            self.coming.cut()
        if self.exchanges:
            self.exchanges[-1].is_last = True
        return bool(self.exchanges)

    def _refuse(self, refusal: Refusal) -> None:
        """A body that is refused is cut off. A head is answered, with what is known of it."""
        if self.coming:
            self.coming.cut()
        elif not self.is_deaf:
            self._begin(refusal)
        self._stop_reading()

    def _stop_reading(self) -> None:
        self.is_deaf = True
        if self.exchanges:
            self.exchanges[-1].is_last = True

    def on_message_begin(self) -> None:
        self.target, self.headers = b"", []

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.coming:  # after the body it would be a trailer
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if len(self.exchanges) == PIPELINED:
            self._stop_reading()
        if self.is_deaf or (self.parser.should_upgrade() and self.parser.get_method() != CONNECT):
            return
        version = self.parser.get_http_version()
        if version not in VERSIONS:
            self._refuse(malformed("Tollgate speaks HTTP/1.1."))
        elif version == "1.0" and any(name == b"transfer-encoding" for name, _ in self.headers):
            self._refuse(malformed("HTTP/1.0 has no Transfer-Encoding."))  # others would see the body end elsewhere
        else:
            self._begin()

    def on_body(self, part: bytes) -> None:
        self.head_size = 0
        if self.coming:
            self.coming.add(part)

    def on_message_complete(self) -> None:
        self.head_size = 0
        if self.coming:
            self.coming.complete()
            self.coming = None

    def _begin(self, refusal: Refusal | None = None) -> None:
        exchange = Exchange(self, refusal)
        self.coming = exchange
        self.exchanges.append(exchange)
        self.waits_since = None
        if len(self.exchanges) == 1:
            exchange.start()
        else:
            self.transport.pause_reading()

    def finish(self, exchange: Exchange) -> None:
        """The first of the requests is answered."""
        self.exchanges.popleft()
        if exchange.is_last or not exchange.is_complete:
            self._leave(may_follow=self.is_deaf or not exchange.is_complete)
            return
        if len(self.exchanges) < 2:
            self.transport.resume_reading()
        if self.exchanges:
            self.exchanges[0].start()
        else:
            self.waits_since = self.loop.time()

    def _leave(self, *, may_follow: bool) -> None:
        """If we closed while a client sends, it would see an error instead of the last answer."""
        if self.is_ended or not may_follow:
            self.transport.close()
            return
        self.is_deaf = True
        self.exchanges.clear()
        with suppress(OSError):  # the client has left
            self.transport.write_eof()
        self.transport.resume_reading()
        self.loop.call_later(LEAVING_SECONDS, self.transport.close)

    def pause_writing(self) -> None:
        self.writable = self.loop.create_future()

    def resume_writing(self) -> None:
        writable, self.writable = self.writable, None
        if writable and not writable.done():
            writable.set_result(None)

    def is_waiting(self, since: float) -> bool:
        """Whether it has waited since then, or longer, for the whole head of a request."""
        return self.waits_since is not None and self.waits_since <= since
