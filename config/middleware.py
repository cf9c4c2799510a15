import re
from collections.abc import Callable

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from accounts.identifiers import uuid7


class RequestId:
    """Takes the caller's X-Request-Id or makes one; it is in the answer, in problem documents and in the log.

    It also notes when the request was received.
    """

    ACCEPTED = re.compile(r"[A-Za-z0-9._:-]{1,100}")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        said = request.headers.get("X-Request-Id", "")
        request_id = said if self.ACCEPTED.fullmatch(said) else uuid7().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        request.received_at = timezone.now()  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response
