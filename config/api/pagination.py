"""Lists come in pages: `limit` and `offset`, in one envelope."""

from typing import Any

from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request

from accounts.api.fields import LARGEST_OFFSET
from accounts.lib.problems import InvalidField


class Pagination(LimitOffsetPagination):
    def get_limit(self, request: Request) -> int:
        return _whole_number(request, "limit", default=50, least=1, most=100)

    def get_offset(self, request: Request) -> int:
        return _whole_number(request, "offset", default=0, least=0, most=LARGEST_OFFSET)

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        """DRF's own, as OpenAPI 3.1 says that a link may be null."""
        link = {"type": ["string", "null"], "format": "uri"}
        envelope: dict[str, Any] = super().get_paginated_response_schema(schema)
        return {**envelope, "properties": {**envelope["properties"], "next": link, "previous": link}}


def _whole_number(request: Request, name: str, *, default: int, least: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 15 and least <= int(text) <= most):
        raise InvalidField(name, f"Must be a whole number from {least} to {most}.")
    return int(text)
