"""Lists come in pages: `limit` and `offset`, in one envelope. Lists that only grow also take `after`."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from accounts.api.fields import LARGEST_OFFSET
from accounts.lib.problems import InvalidField

AFTER = {
    "name": "after",
    "required": False,
    "in": "query",
    "description": "The id of the last result that is known already; 0 begins with the oldest. What follows it comes in"
    " ascending order. `count` is how many follow, and `next` is null at the end: then ask again with the last id.",
    "schema": {"type": "string"},
}


class Pagination(LimitOffsetPagination):
    """A view whose list only grows has a method `following(queryset, id)`: the results after that id, ascending."""

    after: str | None = None

    def get_limit(self, request: Request) -> int:
        return _whole_number(request, "limit", default=50, least=1, most=100)

    def get_offset(self, request: Request) -> int:
        return _whole_number(request, "offset", default=0, least=0, most=LARGEST_OFFSET)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        self.after = request.query_params.get("after")
        if self.after is None:
            return super().paginate_queryset(queryset, request, view)
        following: Callable[[Any, str], QuerySet[Any]] | None = getattr(view, "following", None)
        if following is None:
            raise InvalidField("after", "This list can't be read by id.")
        if "offset" in request.query_params:
            raise InvalidField("offset", "Can't be combined with after.")
        self.limit, self.uri = self.get_limit(request), request.build_absolute_uri()
        rows = following(queryset, self.after)
        page = list(rows[: self.limit + 1])
        self.has_more = len(page) > self.limit
        self.count = rows.count() if self.has_more else len(page)
        return page[: self.limit]

    def get_paginated_response(self, data: Any) -> Response:
        if self.after is None:
            return super().get_paginated_response(data)
        following = None
        if self.has_more:
            following = replace_query_param(self.uri, "after", data[-1]["id"])
        return Response({"count": self.count, "next": following, "previous": None, "results": data})

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        return [*parameters, AFTER] if hasattr(view, "following") else parameters

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        """DRF's schema, but links may be null in the way of OpenAPI 3.1."""
        link = {"type": ["string", "null"], "format": "uri"}
        envelope: dict[str, Any] = super().get_paginated_response_schema(schema)
        return {**envelope, "properties": {**envelope["properties"], "next": link, "previous": link}}


def _whole_number(request: Request, name: str, *, default: int, least: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 15 and least <= int(text) <= most):
        raise InvalidField(name, f"Must be a whole number from {least} to {most}.")
    return int(text)
