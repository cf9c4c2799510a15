"""What every JSON endpoint has in common: exact numbers, problem documents, pagination.

DRF finds these by their dotted names in the settings; nobody imports them.
"""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import simplejson
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from accounts.api.fields import LARGEST_OFFSET
from accounts.exceptions import InvalidField, Problem
from accounts.lib.money import plain
from config.problems import CONTENT_TYPE, problem

DRAIN_BYTES = 64 << 20


class RequestTooLarge(Problem):
    """The body is larger than this endpoint takes."""

    status = 413
    code = "request_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit:,} bytes.")


class JSONParser(BaseParser):
    """Strict JSON: numbers with a point become Decimals, never floats; NaN and infinity are refused."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        limit = getattr((parser_context or {}).get("view"), "body_limit", settings.BODY_LIMIT_BYTES)
        body = stream.read(limit + 1)
        if len(body) > limit:
            _drain(stream)
            raise RequestTooLarge(limit)
        try:
            return json.loads(body, parse_float=Decimal, parse_constant=_refuse)
        except json.JSONDecodeError as error:
            raise exceptions.ParseError(f"The body is not valid JSON: {error}.") from error
        except UnicodeDecodeError as error:
            raise exceptions.ParseError("The body is not in UTF-8.") from error
        except RecursionError as error:
            raise exceptions.ParseError("The JSON is nested too deeply.") from error
        except (ValueError, InvalidOperation) as error:
            raise exceptions.ParseError("A number has too many digits, or too large an exponent.") from error


def _refuse(constant: str) -> None:
    raise exceptions.ParseError(f"The body is not valid JSON: {constant} is not a number.")


def _drain(stream: Any) -> None:
    """Read what a client is still sending, within reason, so that it gets to read the answer."""
    for _ in range(DRAIN_BYTES >> 16):
        if not stream.read(1 << 16):
            break


class JSONRenderer(BaseRenderer):
    """JSON in which a Decimal is written digit by digit."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if data is None:
            return b""
        text: str = simplejson.dumps(data, use_decimal=False, default=_encode, ensure_ascii=False)
        return text.encode("utf-8", "backslashreplace")


_encoder = JSONEncoder()


def _encode(value: Any) -> Any:
    return simplejson.RawJSON(plain(value)) if isinstance(value, Decimal) else _encoder.default(value)


class JSONOnly(BaseContentNegotiation):
    """JSON, whatever the caller says that it accepts; a body must say that it is JSON.

    `media_types` of a view are other names of JSON that it takes.
    """

    def select_parser(self, request: Request, parsers: Any) -> Any:
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        others = getattr((request.parser_context or {}).get("view"), "media_types", ())
        return next((parser for parser in parsers if parser.media_type == kind or kind in others), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class Pagination(LimitOffsetPagination):
    def get_limit(self, request: Request) -> int:
        return _whole_number(request, "limit", default=50, least=1, most=100)

    def get_offset(self, request: Request) -> int:
        return _whole_number(request, "offset", default=0, least=0, most=LARGEST_OFFSET)

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        """DRF's own, as OpenAPI 3.1 says that a link may be null."""
        link = {"type": ["string", "null"], "format": "uri"}
        said: dict[str, Any] = super().get_paginated_response_schema(schema)
        return {**said, "properties": {**said["properties"], "next": link, "previous": link}}


def _whole_number(request: Request, name: str, *, default: int, least: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 15 and least <= int(text) <= most):
        raise InvalidField(name, f"Must be a whole number from {least} to {most}.")
    return int(text)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """A problem document for every refusal; None for what is a fault of ours, which the middleware answers."""
    request = context["request"]
    document, headers = _document(error)
    if document is None:
        return None
    document["request_id"] = getattr(request._request, "request_id", "")
    return Response(document, status=document["status"], headers=headers, content_type=CONTENT_TYPE)


def _document(error: Exception) -> tuple[dict[str, Any] | None, dict[str, str]]:
    match error:
        case Problem():
            return problem(error.status, error.code, str(error), error.errors, **error.members), error.headers
        case exceptions.ValidationError():
            errors = list(_field_errors(error.detail))
            return problem(400, "invalid", "Some fields are not valid.", errors), {}
        case exceptions.APIException():
            return problem(error.status_code, _code(error), str(error.detail)), _headers(error)
        case Http404():
            return problem(404, "not_found", "There is no such object."), {}
        case PermissionDenied():
            return problem(403, "forbidden", "This credential may not do that."), {}
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
