"""A request as the web server hands it over (ASGI), and as Django wants it (WSGI)."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from config import middleware, problems
from config.web import limits
from config.web.exchange import Scope
from config.web.limits import Refusal

PART_BYTES = 1 << 20


NAMES_REMEMBERED = 1000


def _unquoted(path: bytes) -> str:
    return (unquote_to_bytes(path) if b"%" in path else path).decode("latin-1")


@lru_cache(NAMES_REMEMBERED)
def _name(header: bytes) -> str:
    return header.decode("latin-1")


@lru_cache(NAMES_REMEMBERED)
def _variable(header: str) -> str | None:
    """The header's name in the WSGI environment; None if it isn't there under a name of its own.

    Names with an underscore are dropped: `X_Forwarded_For` must not pass for `X-Forwarded-For`.
    """
    if "_" in header or header in ("content-type", "content-length", "transfer-encoding"):
        return None
    return f"HTTP_{header.upper().replace('-', '_')}"


class Parts:
    """The body of an answer, as a WSGI application returns it. It is read in threads, perhaps each part in another."""

    def __init__(self, response: Iterable[bytes]) -> None:
        self.response, self.iterator = response, iter(response)

    def read(self) -> bytes:
        """The next part, of at least PART_BYTES. A shorter one is the last."""
        parts: list[bytes] = []
        size = 0
        try:
            while size < PART_BYTES and (part := next(self.iterator, None)) is not None:
                parts.append(part)
                size += len(part)
        except BaseException:
            self.close()
            raise
        if size < PART_BYTES:
            self.close()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        if close := getattr(self.response, "close", None):
            close()


@dataclass(frozen=True)
class Answer:
    """`rest` is what follows the body, if it is long."""

    status: int
    headers: Iterable[tuple[str, str]]
    body: bytes
    rest: Parts | None = None


class Request:
    def __init__(self, scope: Scope) -> None:
        self.scope, self.received_at = scope, time.time()
        self.headers = [(_name(name), value.decode("latin-1")) for name, value in scope["headers"]]
        self.first: dict[str, str] = dict(reversed(self.headers))
        self.path = _unquoted(scope["raw_path"])
        self.id = middleware.request_id(self.header("x-request-id"))

    def header(self, name: str) -> str:
        """The first header of this name, which is given in lower case."""
        return self.first.get(name, "")

    @property
    def content_length(self) -> int:
        """0 for a body in chunks. The web server has refused what is no number."""
        return int(self.header("content-length") or 0)

    @property
    def has_body(self) -> bool:
        return self.content_length > 0 or "transfer-encoding" in self.first

    def check_head(self) -> None:
        """Raises Refusal for a path, a query or headers that are too long, and for a body in an unknown coding.

        Also the refusal that the web server put into the scope: of what it couldn't read, or didn't read to the end.
        """
        if len(self.scope["raw_path"]) + len(self.scope["query_string"]) > limits.TARGET_LIMIT_BYTES:
            raise limits.target_too_long()
        if sum(len(name) + len(value) for name, value in self.headers) > limits.HEADERS_LIMIT_BYTES:
            raise limits.headers_too_large()
        if len(self.headers) > limits.HEADERS_LIMIT:
            raise limits.too_many_headers()
        if refusal := self.scope.get("refusal"):
            raise refusal
        if "transfer-encoding" in self.first:
            self._check_coding()

    def _check_coding(self) -> None:
        """The web server undoes `chunked` once and nothing else, so another body would not be what was meant."""
        codings = [value.strip().lower() for name, value in self.headers if name == "transfer-encoding"]
        if codings != ["chunked"]:
            raise Refusal(501, "not_implemented", "The only Transfer-Encoding is chunked.")

    def environ(self, body: bytes) -> dict[str, Any]:
        """The WSGI environment. It has a length for every body, also for one that came in chunks."""
        host, port = self.scope.get("server") or ("", 80)
        return {
            "REQUEST_METHOD": self.scope["method"],
            "SCRIPT_NAME": "",
            "PATH_INFO": self.path,
            "QUERY_STRING": self.scope["query_string"].decode("latin-1"),
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": f"HTTP/{self.scope['http_version']}",
            "REMOTE_ADDR": (self.scope.get("client") or ("",))[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": self.scope["scheme"],
            "wsgi.input": BytesIO(body),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "tollgate.request_id": self.id,
            "tollgate.received_at": self.received_at,
            **self._header_variables(),
            "CONTENT_TYPE": self.header("content-type"),
            "CONTENT_LENGTH": str(len(body)),
        }

    def _header_variables(self) -> dict[str, str]:
        variables: dict[str, str] = {}
        for name, value in self.headers:
            if key := _variable(name):
                variables[key] = f"{variables[key]},{value}" if key in variables else value
        return variables

    def refused(self, refusal: Refusal) -> Answer:
        """The answer to a request that doesn't get to Django."""
        response = problems.answer(self.path, refusal.status, refusal.code, refusal.detail, request_id=self.id)
        response["X-Request-Id"] = self.id
        response["Cache-Control"] = "no-store"
        response["Content-Length"] = str(len(response.content))
        return Answer(response.status_code, response.items(), response.content)
