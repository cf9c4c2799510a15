"""One request to an address that somebody else named, which may be hostile: webhooks, and providers of sign-ins.

The name is resolved once, every answer is judged, and the connection goes to the address that was judged: a second
answer of the resolver (rebinding) can't lead elsewhere. One deadline covers everything, from the resolver to the last
byte. The answer is cut off at some bytes and never decompressed. There is no proxy, no redirect, no cookie.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

import httpcore2

from accounts.lib.deadlines import Deadline
from accounts.webhooks import urls
from accounts.webhooks.addresses import Address, Network, is_public, is_within, parse
from accounts.webhooks.urls import Target

DEADLINE_SECONDS = 15.0
DNS_SECONDS = 5.0
CONNECT_SECONDS = 5.0
ANSWER_BYTES = 4096
RESOLVERS = 32


@dataclass(frozen=True)
class Response:
    """`status` is None where there was no answer; `error` then says why, as `timeout` or `address_refused`.

    `address` is where the connection went. `body` is the beginning of the answer.
    """

    status: int | None
    error: str
    address: str
    duration_ms: int
    body: str = ""
    retry_after: str = ""

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Refused(Exception):
    """The name leads to an address that it may not lead to."""


class Unresolved(Exception):
    """The name has no address, or its name servers don't answer."""


@dataclass(frozen=True)
class Request:
    """`networks` may be reached though they are inside. `most` is how many bytes of the answer are read."""

    method: str
    url: str
    body: bytes
    headers: Mapping[str, str]
    networks: list[Network]
    most: int = ANSWER_BYTES


def post(url: str, body: bytes, headers: Mapping[str, str], *, seconds: float = DEADLINE_SECONDS) -> Response:
    """Sends a webhook once. Whatever the other side does, it returns an answer within `seconds`."""
    return send(Request("POST", url, body, headers, urls.allowed_networks()), Deadline(seconds))


def send(request: Request, deadline: Deadline) -> Response:
    """Several requests may have one deadline."""
    began = time.monotonic()
    backend = _Pinned(deadline, request.networks)
    error, status, text, retry_after = "", None, "", ""
    try:
        target = urls.target(request.url, request.networks)
        status, text, retry_after = _exchange(backend, target, request)
    except Exception as failure:
        error = _name(failure)
    duration = round((time.monotonic() - began) * 1000)
    return Response(status, error, backend.connected, duration, text, retry_after)


def _exchange(backend: "_Pinned", target: Target, request: Request) -> tuple[int, str, str]:
    origin = httpcore2.Origin(target.scheme.encode(), target.host.encode(), target.port)
    url = httpcore2.URL(
        scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
    )
    length = [("Content-Length", str(len(request.body)))] if request.method == "POST" else []
    sent = [("Host", target.authority), *length, *request.headers.items(), ("Connection", "close")]
    backend.target = target
    tls = _shared_tls() if target.scheme == "https" else None
    connection = httpcore2.HTTPConnection(origin, ssl_context=tls, network_backend=backend, retries=0)
    with connection, connection.stream(request.method, url, headers=sent, content=request.body) as response:
        retry_after = dict(response.headers).get(b"retry-after", b"").decode("latin-1")
        return response.status, _beginning(response, request.most), retry_after


def _beginning(response: httpcore2.Response, most: int) -> str:
    """Raw bytes as text: what was compressed stays so. PostgreSQL has no text with a NUL."""
    raw = b""
    try:
        for chunk in response.iter_stream():
            raw += chunk
            if len(raw) >= most:
                break
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, TimeoutError):
        pass  # the status is what counts, and it is there
    return raw[:most].decode(errors="replace").replace("\0", "")


def _shared_tls() -> ssl.SSLContext:
    """There's a race: each of 32 threads that begin together would read the trust store for itself."""
    with _reading:
        return _tls()


@cache
def _tls() -> ssl.SSLContext:
    """Verifies the certificate and the name, by the system's trust store, which takes long to read."""
    return ssl.create_default_context()


class _Pinned(httpcore2.NetworkBackend):
    """Resolves once, judges all addresses, and connects to one that was judged."""

    def __init__(self, deadline: Deadline, allowed: list[Network]) -> None:
        self.deadline, self.allowed = deadline, allowed
        self.target: Target | None = None
        self.connected = ""

    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore2.NetworkStream:
        addresses = resolve(host, port, self.deadline.left(DNS_SECONDS))
        for address in addresses:
            self._judge(address)
        failure: Exception = Unresolved()
        for address in addresses:
            try:
                stream = httpcore2.SyncBackend().connect_tcp(
                    str(address), port, timeout=self.deadline.left(CONNECT_SECONDS)
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                self.connected = str(address)
                return _Timed(stream, self.deadline)
        raise failure

    def _judge(self, address: Address) -> None:
        assert self.target
        if is_within(address, self.allowed):
            return
        if self.target.needs_exception or not is_public(address):
            raise Refused


class _Timed(httpcore2.NetworkStream):
    """Every read and write gets what is left of the one deadline."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def resolve(host: str, port: int, seconds: float) -> list[Address]:
    """All addresses of a name. The dot at its end keeps the search domains of this network out."""
    try:
        return [parse(host)]
    except ValueError:
        pass
    lookup = _resolvers.submit(getaddrinfo, f"{host}.", port, 0, socket.SOCK_STREAM)
    try:
        rows = lookup.result(timeout=seconds)
    except (socket.gaierror, UnicodeError, FutureTimeout) as error:
        lookup.cancel()
        raise Unresolved from error
    return list(dict.fromkeys(parse(str(row[4][0])) for row in rows))


_reading = Lock()
getaddrinfo: Callable[..., Iterable[Any]] = socket.getaddrinfo
_resolvers = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="resolver")

ERRORS: Mapping[type[Exception], str] = {
    Refused: "address_refused",
    Unresolved: "name_not_resolved",
    ValueError: "url_refused",
    TimeoutError: "timeout",
    httpcore2.TimeoutException: "timeout",
    httpcore2.ConnectError: "connection_failed",
    httpcore2.NetworkError: "connection_lost",
    httpcore2.ProtocolError: "not_http",
}


def _name(failure: Exception) -> str:
    """A certificate error is a ConnectError to httpcore, so its cause is looked at first."""
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "certificate_refused"
        if isinstance(cause, ssl.SSLError):
            return "tls_failed"
        cause = cause.__cause__ or cause.__context__
    names = [name for kind, name in ERRORS.items() if isinstance(failure, kind)]
    return names[0] if names else "failed"
