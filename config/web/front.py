"""Answers the gate's routes before Django's middleware, which takes several times as long as the gate itself.

A route of `usage.api.urls` whose view has a method `fast` can be answered so. Whatever is not plain (a Host that is
refused, a redirect to https, a body that is too large, a cookie, anything that `fast` leaves) goes through Django
instead, as if it had never been here. So a refusal has one author, and an answer has the same bytes on both ways.
"""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any

from csp.middleware import CSPMiddleware
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.exception import response_for_exception
from django.core.handlers.wsgi import WSGIRequest, get_path_info
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django.urls import URLPattern
from django.urls.resolvers import RegexPattern
from structlog.contextvars import bind_contextvars, bound_contextvars, reset_contextvars

from accounts.events import origin
from config import metrics, middleware
from config.web.lines import Lines, Rows
from config.web.request import Answer
from usage.api.fast_path import Reply
from usage.api.urls import urlpatterns
from usage.gate import Question

FAST: list[URLPattern] = [pattern for pattern in urlpatterns if hasattr(pattern.callback, "fast")]
LONGER = [pattern for pattern in FAST if isinstance(pattern.pattern, RegexPattern)]  # it ends with a customer's path
BY_PATH = {f"/{pattern.pattern}": pattern for pattern in FAST if pattern not in LONGER}
CONTENT_LENGTH = "Content-Length"
HEADS_REMEMBERED = 1000

Headers = dict[str, str]


class PlainRequest(HttpRequest):
    """What the gate's routes need of Django's request, which takes as long to make as the gate's answer."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.META, self.method = environ, environ["REQUEST_METHOD"]
        self.path = self.path_info = get_path_info(environ)
        self.resolver_match = None
        self._body = environ["wsgi.input"].getvalue()
        self._set_content_type_params(environ)  # type: ignore[attr-defined]


@dataclass(slots=True)
class Plain:
    """A request that can be answered here. `added` is what the middleware adds to every answer."""

    request: PlainRequest
    pattern: URLPattern
    request_id: str
    added: Headers
    began: float

    @property
    def view(self) -> Any:
        return self.pattern.callback

    def answer(self, reply: Reply) -> Answer:
        """The reply's headers come first, then those that are added to any. A header that both have is the reply's."""
        self.count(reply.status)
        own = {CONTENT_LENGTH: str(len(reply.body)), "X-Request-Id": self.request_id}
        headers = {**reply.headers, **self.added, **reply.headers, **own}
        return Answer(reply.status, headers.items(), reply.body)

    def fault(self, error: Exception) -> Reply:
        """May wait for Redis, which is told of some outages."""
        with bound_contextvars(request_id=self.request_id):
            try:
                raise error  # what answers it asks for the exception that is being handled
            except Exception:
                response = response_for_exception(self.request, error)
        return Reply(response.status_code, dict(response.items()), response.content)

    def count(self, status: int) -> None:
        seconds = time.perf_counter() - self.began
        metrics.count(self.request.method, str(self.pattern.pattern), status, seconds)


class Front:
    """The whole answer to a WSGI environment; None if Django has to answer.

    `lines` may be asked on the event loop, by so many connections: see `at_once`.
    """

    def __init__(self, lines: int = 0) -> None:
        self.lines = Lines(lines)
        self.limits = {pattern: middleware.body_limit(pattern.callback) for pattern in FAST}
        self.proto = (settings.SECURE_PROXY_SSL_HEADER or ("",))[0]
        self.added = lru_cache(HEADS_REMEMBERED)(self._added)

    def __call__(self, environ: dict[str, Any]) -> Answer | None:
        plain = self._plain(environ)
        if plain is None:
            return None
        close_old_connections()  # those that broke, as Django does before each request
        tokens = bind_contextvars(request_id=plain.request_id)
        try:
            with origin.within(plain.request):
                reply: Reply | None = plain.view.fast(plain.request)
        except Exception as error:
            reply = plain.fault(error)
        finally:
            reset_contextvars(**tokens)
        return plain.answer(reply) if reply else None

    async def at_once(self, environ: dict[str, Any], until: float) -> Answer | None:
        """The answer on the event loop, if one statement of the gate gives it. `TimeoutError` after that time.

        None if a thread has to answer. Then nothing was done.
        """
        pattern = _pattern(environ["PATH_INFO"]) if self.lines.most else None
        if pattern is None or not hasattr(pattern.callback, "question"):
            return None
        plain = self._plain(environ)
        if plain is None or not self.lines.are_open():
            return None
        reply: Reply | None = None
        try:
            if (pair := plain.view.question(plain.request)) and (rows := self._rows(pair[0], until)):
                question, respond = pair
                answered = await rows
                verdict = question.verdict(answered) if answered is not None else None
                reply = respond(verdict) if verdict else None
        except TimeoutError:
            plain.count(503)
            raise
        except Exception as error:
            reply = await asyncio.to_thread(plain.fault, error)
        return plain.answer(reply) if reply else None

    def _rows(self, question: Question, until: float) -> Coroutine[Any, Any, Rows | None] | None:
        """What the database answers to the question; None if no connection is free."""
        shared = question.only_reads
        line = self.lines.free(shared=shared)
        return line.run(question.statement, question.parameters, until, shared=shared) if line else None

    def _plain(self, environ: dict[str, Any]) -> Plain | None:
        pattern = _pattern(environ["PATH_INFO"])
        if pattern is None or "HTTP_COOKIE" in environ or int(environ["CONTENT_LENGTH"]) > self.limits[pattern]:
            return None
        added = self.added(environ["wsgi.url_scheme"], environ.get("HTTP_HOST"), environ.get(self.proto))
        if added is None:
            return None
        began = time.perf_counter()
        try:
            request = PlainRequest(environ)
        except (ValueError, LookupError):  # a Content-Type that can't be understood
            return None
        return Plain(request, pattern, middleware.identify(request), added, began)

    def _added(self, scheme: str, host: str | None, proto: str | None) -> Headers | None:
        """What the middleware adds to every answer of the API, from the innermost to the outermost.

        None if it would not let the request through to the view.
        """
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/v1/", "wsgi.url_scheme": scheme, "wsgi.input": BytesIO()}
        environ |= ({"HTTP_HOST": host} if host else {}) | ({self.proto: proto} if proto else {})
        request = WSGIRequest(environ)
        security = SecurityMiddleware(_empty)
        try:
            request.get_host()
        except (DisallowedHost, KeyError):
            return None
        if security.process_request(request):
            return None
        response: Any = XFrameOptionsMiddleware(_empty).process_response(request, _empty(request))
        response[CONTENT_LENGTH] = ""
        response = CSPMiddleware(_empty).process_response(request, response)
        response = middleware.CacheControl(lambda _: response)(request)
        response = security.process_response(request, response)
        return {name: value for name, value in response.items() if name != "Content-Type"}


def _pattern(path: str) -> URLPattern | None:
    if path in BY_PATH:
        return BY_PATH[path]
    return next((pattern for pattern in LONGER if pattern.pattern.match(path[1:])), None)


def _empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse()
