"""RFC 9457 problem documents, and answers that no view gives: unknown paths, refused forms, our own bugs."""

import re
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from uuid import uuid4

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext_noop

from accounts.lib.problems import CONTENT_TYPE, TITLES, document
from config import outages

log = structlog.get_logger()

PLIVO_PATH = "/v1/Account/"
RETRY_AFTER_SECONDS = 5
# Also with a slash too many or in capitals, as a program's mistake may have it.
API_PATHS = re.compile(r"/+(v1|auth|api|webhooks|\.well-known|healthz|readyz)(/|$)", re.IGNORECASE)


def answer(
    path: str,
    status: int,
    code: str,
    detail: str,
    errors: Sequence[Mapping[str, str]] = (),
    *,
    request_id: str = "",
    request: HttpRequest | None = None,
) -> HttpResponse:
    """A problem document on the API's paths, Plivo's own form on Plivo's, a page on the others."""
    if path.startswith(PLIVO_PATH):
        response: HttpResponse = JsonResponse({"api_id": str(uuid4()), "error": detail}, status=status)
    elif API_PATHS.match(path):
        body = document(status, code, detail, errors, request_id=request_id)
        response = JsonResponse(body, status=status, content_type=CONTENT_TYPE)
    else:
        context = {"status": status, "title": TITLES[status], "detail": detail}
        response = HttpResponse(render_to_string("error.html", context, request), status=status)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def refuse(
    request: HttpRequest, status: int, code: str, detail: str, errors: Sequence[Mapping[str, str]] = ()
) -> HttpResponse:
    request_id = getattr(request, "request_id", "")
    return answer(request.path, status, code, detail, errors, request_id=request_id, request=request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refuse(request, 400, "bad_request", gettext_noop("The request can't be understood."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refuse(request, 403, "forbidden", gettext_noop("You may not do that."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return refuse(
        request, 403, "csrf", gettext_noop("This form is out of date. Go back, load the page again, and repeat it.")
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refuse(request, 404, "not_found", gettext_noop("There is nothing here."))


def server_error(request: HttpRequest) -> HttpResponse:
    """503 with Retry-After while the database or Redis is out of order; otherwise a 500 without details."""
    if reason := outages.reason(sys.exc_info()[1]):
        outages.remember(reason)
        log.error("outage", path=request.path, reason=reason, exc_info=False)
        return refuse(
            request,
            503,
            "unavailable",
            gettext_noop("Tollgate can't do this at the moment. Try again in some seconds."),
        )
    return refuse(request, 500, "internal_error", gettext_noop("Something went wrong on our side. It has been logged."))
