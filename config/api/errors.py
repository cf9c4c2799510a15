"""Every error that a DRF view raises becomes a problem document."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from accounts.lib import problems
from accounts.lib.problems import CONTENT_TYPE, Problem


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Returns a problem document for a refusal, or None for a fault of ours: then `handler500` answers."""
    request = context["request"]
    document, headers = _document(error)
    if document is None:
        return None
    document["request_id"] = getattr(request._request, "request_id", "")
    return Response(document, status=document["status"], headers=headers, content_type=CONTENT_TYPE)


def _document(error: Exception) -> tuple[dict[str, Any] | None, dict[str, str]]:
    match error:
        case Problem():
            return problems.document(error.status, error.code, str(error), error.errors, **error.members), error.headers
        case exceptions.ValidationError():
            errors = list(_field_errors(error.detail))
            return problems.document(400, "invalid", "Some fields are not valid.", errors), {}
        case exceptions.APIException():
            return problems.document(error.status_code, _code(error), str(error.detail)), _headers(error)
        case Http404():
            return problems.document(404, "not_found", "There is no such object."), {}
        case PermissionDenied():
            return problems.document(403, "forbidden", "This credential may not do that."), {}
    return None, {}


def _code(error: exceptions.APIException) -> str:
    codes = error.get_codes()
    return {"throttled": "too_many_requests"}.get(str(codes), str(codes))


def _headers(error: exceptions.APIException) -> dict[str, str]:
    challenge, wait = getattr(error, "auth_header", None), getattr(error, "wait", None)
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    return {**headers, "Retry-After": str(int(wait))} if wait is not None else headers


def _field_errors(detail: Any, pointer: str = "") -> Iterator[dict[str, str]]:
    if isinstance(detail, dict):
        for name, part in detail.items():
            yield from _field_errors(part, pointer if name == "non_field_errors" else f"{pointer}/{name}")
    elif isinstance(detail, list) and any(isinstance(part, dict | list) for part in detail):
        for index, part in enumerate(detail):
            yield from _field_errors(part, f"{pointer}/{index}")
    else:
        for message in detail if isinstance(detail, list) else [detail]:
            yield {"pointer": pointer, "detail": str(message)}
