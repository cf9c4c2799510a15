from collections import OrderedDict
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework.request import Request

from accounts.credentials import credential_of
from accounts.lib import datetimes, identifiers
from accounts.lib.problems import InvalidField


def moment_parameter(name: str, text: str, timezone: str) -> datetime:
    """A datetime from the query string. The refusal of a bad one names its parameter."""
    try:
        return datetimes.parse(text, timezone)
    except ValueError as error:
        raise InvalidField(name, datetimes.EXPECTED) from error


def text_parameter(request: Request, name: str) -> str | None:
    """A text of the query string; None if it isn't there. PostgreSQL has no text with a NUL."""
    value = request.query_params.get(name)
    if value is not None and "\0" in value:
        raise InvalidField(name, "Must not contain a NUL.")
    return value


def known_id(queryset: QuerySet[Any], prefix: str, text: str) -> UUID | None:
    """The primary key in `after`, which has to be in the list; None for 0, which stands before the first."""
    if text == "0":
        return None
    try:
        pk = identifiers.uuid_of(text, prefix)
    except ValueError:
        pk = None
    if pk is None or not queryset.filter(pk=pk).exists():
        raise InvalidField("after", "No object in this list has this id.")
    return pk


class Filters(django_filters.FilterSet):
    """The filters of a list. An unknown value is refused, and so is an empty one: it never means "don't filter"."""

    def is_valid(self) -> bool:
        for name in self.filters:
            if self.data and self.data.get(name) == "":
                self.form.add_error(name, "Must not be empty.")
        return bool(super().is_valid())


@extend_schema_field(bool)
class BooleanFilter(django_filters.TypedChoiceFilter):
    """`true` or `false`, and nothing else."""

    def __init__(self, **options: Any) -> None:
        choices = [(word, word) for word in ("true", "false")]
        super().__init__(choices=choices, coerce=lambda word: word == "true", **options)


class MomentFilter(django_filters.CharFilter):
    """Compares with a datetime that is read in the caller's time zone. `parameter` is its name in the query string."""

    parent: django_filters.FilterSet  # django-filter sets it

    def __init__(self, *, parameter: str, **options: Any) -> None:
        self.parameter = parameter
        super().__init__(**options)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:  # isn't in the query string
            return qs
        zone = credential_of(cast(Request, self.parent.request)).timezone
        return super().filter(qs, moment_parameter(self.parameter, value, zone))


class CreatedFilter(Filters):
    """`from`, inclusive, and `to`, exclusive, of `created_at`."""

    @classmethod
    def get_filters(cls) -> OrderedDict[str, django_filters.Filter]:
        """`from` is a keyword of Python, so these two can't be attributes."""
        filters = super().get_filters()
        filters["from"] = MomentFilter(parameter="from", field_name="created_at", lookup_expr="gte")
        filters["to"] = MomentFilter(parameter="to", field_name="created_at", lookup_expr="lt")
        return filters
