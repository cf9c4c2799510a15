"""Middleware around every view."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import gettext_noop

from accounts.events import origin
from accounts.lib import deadlines, languages
from accounts.lib.identifiers import uuid7
from accounts.lib.sentences import filled
from config import problems

AFTERWARDS_SECONDS = 1.5  # to record what another system said, and to answer
ACCEPTED_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")


def request_id(header: str) -> str:
    """The caller's own X-Request-Id, or a new one if that is missing or malformed."""
    return header if ACCEPTED_REQUEST_ID.fullmatch(header) else uuid7().hex


def identify(request: HttpRequest) -> str:
    """Notes the request's id, which it returns, and when it was received.

    Our own web server has given it an id already.
    """
    own_id = request.META.get("tollgate.request_id") or request_id(request.META.get("HTTP_X_REQUEST_ID", ""))
    received_at = datetime.fromtimestamp(request.META.get("tollgate.received_at", time.time()), UTC)
    request.request_id, request.received_at = own_id, received_at  # type: ignore[attr-defined]
    return own_id


def _seconds_left(request: HttpRequest) -> float:
    received_at: datetime = request.received_at  # type: ignore[attr-defined]
    waited = time.time() - received_at.timestamp()
    return settings.REQUEST_TIMEOUT_SECONDS - AFTERWARDS_SECONDS - waited


class RequestId:
    """Gives every request an id, which is in the answer, in problem documents and in the log.

    It also notes when the request was received: before its body came in, and before it waited for a thread. Calls to
    other systems, such as the payment gateway, have to end in time for an answer.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        own_id = identify(request)
        with structlog.contextvars.bound_contextvars(request_id=own_id), deadlines.within(_seconds_left(request)):
            response = self.get_response(request)
        response["X-Request-Id"] = own_id
        return response


class EventOrigin:
    """Lets the events of a request say who made it, and from where. It comes after the session's middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with origin.within(request):
            return self.get_response(request)


class CacheControl:
    """The Cache-Control of views that set none. Caches don't store answers of the API: some hold secrets.

    Static files are answered before they get here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.has_header("Cache-Control"):
            return response
        if problems.API_PATHS.match(request.path):
            patch_cache_control(response, no_store=True)
        else:
            patch_cache_control(response, private=True, no_cache=True)
        return response


class Language:
    """Pages are in the language that the person chose, or else the browser: by cookie, then by Accept-Language.

    The API speaks English to everybody. Who is signed in is asked last, just before the view: pages of errors are also
    shown while the database is down.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if problems.API_PATHS.match(request.path):
            return self.get_response(request)
        with languages.spoken(translation.get_language_from_request(request)):
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or "")
        patch_vary_headers(response, ["Accept-Language", "Cookie"])
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        if not problems.API_PATHS.match(request.path) and (own := getattr(request.user, "language", "")):
            languages.activate(own)


def body_limit(view: Any) -> int:
    """The largest body, in bytes, that the view takes."""
    return int(getattr(getattr(view, "cls", view), "body_limit", settings.BODY_LIMIT_BYTES))


class BodyLimit:
    """Refuses a body that is larger than its route takes: the view's `body_limit`, or BODY_LIMIT_BYTES.

    A body without a Content-Length is refused, never taken for no body. Our own web server gives every body one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "HTTP_TRANSFER_ENCODING" in request.META:
            return problems.refuse(
                request, 411, "length_required", gettext_noop("Send the body with a Content-Length.")
            )
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        limit = body_limit(view)
        if int(request.META.get("CONTENT_LENGTH") or 0) <= limit:
            return None
        return problems.refuse(
            request, 413, "request_too_large", filled("The body is larger than %(limit)s bytes.", limit=f"{limit:,}")
        )
