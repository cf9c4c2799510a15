"""How the admin's lists are searched: first by the exact id or address, and only then by the beginning or the name.

Parts of ids are not searched, because they would show unrelated rows before the one that is meant.
"""

from typing import Any, TypeVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

Row = TypeVar("Row", bound=Model)

EXACT = "__exact"
OWNER_IDS = ("public_id", "auth_id", "billing_account__public_id", "memberships__user__email")


def exactly(*fields: str) -> list[str]:
    return [f"{field}{EXACT}" for field in fields]


def owner_fields(prefix: str) -> list[str]:
    """Search fields that find an owner: by the organization's ids and name, or the email of one of its people.

    `prefix` leads from the row to its organization: `account__organization`, or `` for the organization itself.
    """
    start = f"{prefix}__" if prefix else ""
    ids = [f"{start}{field}" for field in OWNER_IDS]
    return [*exactly(*ids), f"{start}public_id__startswith", f"^{start}memberships__user__email", f"{start}name"]


class SearchedAdmin(admin.ModelAdmin[Row]):
    """The first exact search field that has the term decides. If none has it, the others are asked."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Row], search_term: str
    ) -> tuple[QuerySet[Row], bool]:
        term = search_term.strip()
        fields: list[Any] = [field for field in self.get_search_fields(request) if str(field).endswith(EXACT)]
        for field in fields if term else ():
            rows = queryset.filter(**{field: term})
            if rows.exists():
                return rows, True
        return super().get_search_results(request, queryset, search_term)
