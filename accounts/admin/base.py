"""The kinds of admin page that all apps have."""

from typing import Any, TypeVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from accounts.lib import identifiers

Row = TypeVar("Row", bound=Model)


class ReadOnlyAdmin(admin.ModelAdmin[Row]):
    """Rows to look at. `id_prefix` starts the public ids that are made of the primary key, such as `pay_`."""

    id_prefix = ""
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Row], search_term: str
    ) -> tuple[QuerySet[Row], bool]:
        try:
            if self.id_prefix:
                return queryset.filter(pk=identifiers.uuid_of(search_term.strip(), self.id_prefix)), False
        except ValueError:
            pass
        return super().get_search_results(request, queryset, search_term)


class ChangedFieldsAdmin(admin.ModelAdmin[Row]):
    """Saves only the fields that the form changed, so that it does not undo what happened to the row meanwhile."""

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: bool) -> None:
        columns = {field.name for field in obj._meta.concrete_fields}
        obj.save(update_fields=columns.intersection(form.changed_data) if change else None)


class KeptAdmin(ChangedFieldsAdmin[Row]):
    """Rows that money or history refers to. They are changed, and never deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
