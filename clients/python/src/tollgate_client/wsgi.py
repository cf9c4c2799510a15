"""A gate in front of a WSGI application, such as Flask's or Django's."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tollgate_client.gate import Gate, Passage, Refusal

Environ = dict[str, Any]
Application = Callable[..., Iterable[bytes]]
UNFINISHED = 499  # as nginx calls it: the customer didn't wait


class Middleware:
    """`app.wsgi_app = Middleware(app.wsgi_app, gate)`. The application finds the passage in `environ["tollgate"]`.

    The customer's address is `REMOTE_ADDR`: behind a proxy, put a middleware in front that corrects it.
    """

    def __init__(self, application: Application, gate: Gate) -> None:
        self.application, self.gate = application, gate

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        answer = self.gate.ask(environ["REQUEST_METHOD"], path, _headers(environ), environ.get("REMOTE_ADDR") or None)
        if isinstance(answer, Refusal):
            start_response(answer.line, answer.headers)
            return [answer.body]
        if answer is None:
            return self.application(environ, start_response)
        environ["tollgate"] = answer
        return _Served(self, answer, path, environ, start_response)


class _Served:
    """The application's response. It's reported when the server closes it, which WSGI requires in any case."""

    def __init__(self, middleware: Middleware, passage: Passage, path: str, environ: Environ, start: Any) -> None:
        self.gate, self.passage, self.path, self.start = middleware.gate, passage, path, start
        self.status, self.is_finished = 500, False
        try:
            self.chunks = middleware.application(environ, self._start)
        except BaseException:
            self.gate.report(passage, path, 500)
            raise

    def _start(self, status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
        self.status = int(status[:3])
        return self.start(status, headers, *error)

    def __iter__(self) -> Iterator[bytes]:
        yield from self.chunks
        self.is_finished = True

    def close(self) -> None:
        try:
            if hasattr(self.chunks, "close"):
                self.chunks.close()
        finally:
            self.gate.report(self.passage, self.path, self.status if self.is_finished else UNFINISHED)


def _headers(environ: Environ) -> dict[str, str]:
    return {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
