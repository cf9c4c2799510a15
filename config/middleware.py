import re
from collections.abc import Callable

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control

from accounts.lib.identifiers import uuid7
from config.problems import API_PATHS


class RequestId:
    """Takes the caller's X-Request-Id or makes one; it is in the answer, in problem documents and in the log."""

    ACCEPTED = re.compile(r"[A-Za-z0-9._:-]{1,100}")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        header = request.headers.get("X-Request-Id", "")
        request_id = header if self.ACCEPTED.fullmatch(header) else uuid7().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


class CacheControl:
    """What an answer says of caches where its view says nothing: the API's are not stored, for some hold secrets.

    Static files are answered before they get here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.has_header("Cache-Control"):
            return response
        if API_PATHS.match(request.path):
            patch_cache_control(response, no_store=True)
        else:
            patch_cache_control(response, private=True, no_cache=True)
        return response
