"""RFC 9457 problem documents, and what answers when no view does: unknown paths, refused forms, faults of ours."""

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

log = structlog.get_logger()

CONTENT_TYPE = "application/problem+json"
PLIVO_PATH = "/v1/Account/"
OUTAGES = (OperationalError, InterfaceError, RedisConnectionError, RedisTimeoutError, BrokerError)
RETRY_AFTER_SECONDS = 5
API_PATHS = re.compile(r"/(v1|auth|api|\.well-known|healthz|readyz)(/|$)")
TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    402: "Payment required",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    410: "Gone",
    413: "Too large",
    415: "Unsupported media type",
    422: "Unprocessable",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}


def problem(
    status: int, code: str, detail: str, errors: Sequence[Mapping[str, str]] = (), **members: Any
) -> dict[str, Any]:
    """A problem document. `code` is stable; `detail` is for people."""
    document = {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail}
    return {**document, "code": code, **({"errors": list(errors)} if errors else {}), **members}


def _answer(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    """A problem document on the API's paths, Plivo's own form on Plivo's, a page on the others."""
    if request.path.startswith(PLIVO_PATH):
        return JsonResponse({"api_id": str(uuid4()), "error": detail}, status=status)
    if API_PATHS.match(request.path):
        document = problem(status, code, detail, request_id=getattr(request, "request_id", ""))
        return JsonResponse(document, status=status, content_type=CONTENT_TYPE)
    context = {"status": status, "title": TITLES[status], "detail": detail}
    return render(request, "error.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400, "bad_request", "The request can't be understood.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403, "forbidden", "You may not do that.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(request, 403, "csrf", "This form is out of date. Go back, load the page again, and repeat it.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 404, "not_found", "There is nothing here.")


def server_error(request: HttpRequest) -> HttpResponse:
    """503 with Retry-After while the database or Redis is down; else a 500 that shows nothing of the fault."""
    if isinstance(sys.exc_info()[1], OUTAGES):
        log.error("outage", path=request.path, exc_info=False)
        response = _answer(request, 503, "unavailable", "A part of Tollgate is restarting. Try again in some seconds.")
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response
    return _answer(request, 500, "internal_error", "Something went wrong on our side. It has been logged.")
