from datetime import datetime
from typing import Any, cast

import django_filters
from django.db.models import QuerySet
from rest_framework.request import Request

from accounts import moments
from accounts.credentials import credential_of
from accounts.exceptions import InvalidField


def moment_parameter(name: str, text: str, timezone: str) -> datetime:
    """A moment from the query string; a bad one names its parameter."""
    try:
        return moments.parse(text, timezone)
    except ValueError as error:
        raise InvalidField(name, "Must be an ISO 8601 date or datetime.") from error


class MomentFilter(django_filters.CharFilter):
    """Compares with a moment that is read in the caller's time zone. `parameter` is its name in the query string."""

    parent: django_filters.FilterSet  # django-filter sets it

    def __init__(self, *, parameter: str, **options: Any) -> None:
        self.parameter = parameter
        super().__init__(**options)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return qs
        zone = credential_of(cast(Request, self.parent.request)).timezone
        return super().filter(qs, moment_parameter(self.parameter, value, zone))
