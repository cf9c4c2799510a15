"""The kinds of admin page that all apps have."""

from collections.abc import Iterable
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import events
from accounts.admin.columns import NumbersChangeList, plainly
from accounts.admin.exporting import ExportedAdmin
from accounts.admin.search import SearchedAdmin
from accounts.lib import identifiers

Row = TypeVar("Row", bound=Model)


def actor(request: HttpRequest) -> str:
    """The actor, in the form that events use."""
    return f"user:{request.user.pk}"


class RecordedAdmin(ExportedAdmin[Row], SearchedAdmin[Row]):
    """Every action of an operator is in the admin's history, and in the events of the customers whom it concerns.

    Saving a form records an event such as `organization.changed`, with the values `before` and `after`. The values
    of fields in `personal` can be erased; where `tells_values` is false, only the fields are named. Fields in
    `recorded` are left out: their verbs have recorded the event.
    """

    tells_values = True
    personal: frozenset[str] = frozenset()
    recorded: frozenset[str] = frozenset()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NumbersChangeList

    def concerned(self, obj: Row) -> Iterable[UUID]:
        """The organizations whose events report what an operator does to the row."""
        organization = getattr(obj, "organization_id", None)
        return [organization] if organization else []

    def identify(self, obj: Row) -> dict[str, Any]:
        """How an event names the row, unless it is the organization's only one."""
        return {}

    def note(self, request: HttpRequest, obj: Row, type: str, **data: Any) -> None:
        """Keeps an action in the admin's history. Its verb has recorded the event."""
        details = ", ".join(f"{name}: {value}" for name, value in data.items())
        super().log_change(request, obj, f"{type} {details}".strip())

    def log_change(self, request: HttpRequest, obj: Row, message: Any) -> LogEntry:
        """Django calls it when a form is saved, whose changes `construct_change_message` has noted."""
        if changes := getattr(request, "changes", ()):
            self._tell(request, obj, *changes)
        return super().log_change(request, obj, message)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        request.changes = self._changes(form)  # type: ignore[attr-defined]
        return super().construct_change_message(request, form, formsets, add)

    def _changes(self, form: Any) -> tuple[dict[str, Any], dict[str, Any]] | tuple[()]:
        """The values of the changed fields before and after."""
        names = [name for name in form.changed_data if name not in self.recorded]
        before = {name: form.initial.get(name) for name in names}
        return (before, {name: form.cleaned_data.get(name) for name in names}) if names else ()

    def _tell(self, request: HttpRequest, obj: Row, before: dict[str, Any], after: dict[str, Any]) -> None:
        type = obj._meta.verbose_name_raw.lower().replace(" ", "_") + ".changed"
        identified, now = self.identify(obj), timezone.now()
        targets = [str(value) for value in identified.values()]
        for organization in self.concerned(obj):
            if self.tells_values:
                events.record_change(
                    organization, type, before, after, now, targets=targets, personal=self.personal, **identified
                )
            else:
                data = {**identified, "fields": list(after), "actor": actor(request)}
                events.record(organization, type, data, now, targets=targets)


class ReadOnlyAdmin(RecordedAdmin[Row]):
    """A read-only list. `id_prefix` starts the public ids that are made of the primary key, such as `pay_`."""

    id_prefix = ""
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return [(name, {**part, "fields": plainly(self.model, part["fields"])}) for name, part in fieldsets]

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: bool) -> None:
        """No field can be edited. Saving the row would undo what happened to it since it was read."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Row], search_term: str
    ) -> tuple[QuerySet[Row], bool]:
        try:
            if self.id_prefix:
                return queryset.filter(pk=identifiers.uuid_of(search_term.strip(), self.id_prefix)), False
        except ValueError:
            pass
        return super().get_search_results(request, queryset, search_term)


class ChangedFieldsAdmin(RecordedAdmin[Row]):
    """Saves only the fields that the form changed, so that it does not undo what happened to the row meanwhile."""

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: bool) -> None:
        columns = {field.name for field in obj._meta.concrete_fields}
        obj.save(update_fields=columns.intersection(form.changed_data) if change else None)


class KeptAdmin(ChangedFieldsAdmin[Row]):
    """Rows that money or history refers to. They can be changed, but never deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
