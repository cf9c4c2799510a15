"""Rows of a list as a file. Each export is in the admin's history: who, what, how many, and by which search."""

from decimal import Decimal
from typing import Any, TypeVar

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from accounts.lib import languages
from accounts.lib.attachments import attachment
from accounts.lib.spreadsheets import Cell, csv_of
from accounts.models import User

Row = TypeVar("Row", bound=Model)

PERMISSION = "accounts.export_rows"
MOST = 10_000


class ExportedAdmin(admin.ModelAdmin[Row]):
    """A list whose rows can be exported, with the columns that it shows, by those who have the permission."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        if IS_POPUP_VAR not in request.GET and request.user.has_perm(PERMISSION):
            actions["export_rows"] = (export_rows, "export_rows", _("Export the selected rows as CSV"))
        return actions


def export_rows(page: admin.ModelAdmin[Any], request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
    """The export is recorded in the history before its first byte is sent."""
    assert isinstance(request.user, User)
    rows = list(chosen[: MOST + 1])
    if len(rows) > MOST:
        text = _("At most %(most)s rows are exported at once. Filter the list.")
        page.message_user(request, text % {"most": languages.written(f"{MOST:,}")}, messages.WARNING)
        return None
    columns = [str(name) for name in page.get_list_display(request)]
    with languages.spoken(settings.LANGUAGE_CODE):  # what programs read is English
        return _exported(page, request, rows, columns)


def _exported(page: admin.ModelAdmin[Any], request: HttpRequest, rows: list[Any], columns: list[str]) -> HttpResponse:
    assert isinstance(request.user, User)
    content = csv_of(
        [str(label_for_field(name, page.model, page)) for name in columns],
        [[_cell(name, row, page) for name in columns] for row in rows],
    )
    LogEntry.objects.create(
        user_id=request.user.pk,
        content_type=ContentType.objects.get_for_model(page.model),
        object_id=None,
        object_repr=f"{len(rows)} {page.opts.verbose_name_plural}",
        action_flag=CHANGE,
        change_message=f"Exported {len(rows)} rows as CSV. Search: {_search(request) or 'none'}"[:1000],
    )
    return attachment(content, str(page.opts.verbose_name_plural).replace(" ", "-"), "csv")


def _search(request: HttpRequest) -> str:
    """The filters of the list, without the search text: it may be a name or an address, which the history could never
    forget.
    """
    params = request.GET.copy()
    if params.get(SEARCH_VAR):
        params[SEARCH_VAR] = "*"
    return params.urlencode(safe="*")


def _cell(name: str, row: Model, page: admin.ModelAdmin[Any]) -> Cell:
    """Numbers stay numbers, so that a spreadsheet adds them up."""
    _, _, value = lookup_field(name, row, page)
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return value if is_number or value is None else str(value)
