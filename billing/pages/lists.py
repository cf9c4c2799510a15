"""Lists with a filter in the address, also as CSV of what the filter chooses."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.generic import ListView

from accounts.lib import spreadsheets
from accounts.lib.attachments import attachment
from accounts.lib.spreadsheets import Cell
from accounts.pages.organizations import OrganizationMixin
from accounts.pages.paging import CappedPaginator


class FilterForm(forms.Form):
    """Fields that are not valid don't filter."""

    def condition(self) -> Q:
        """By default each field names a column, or a lookup."""
        return Q(**self.chosen())

    def chosen(self) -> dict[str, Any]:
        return {name: value for name, value in getattr(self, "cleaned_data", {}).items() if value}


class FilteredListView(OrganizationMixin, ListView[Any]):
    """`file` names the CSV, with these columns; `line` is one row of it."""

    form_class: ClassVar[type[FilterForm]]
    file: ClassVar[str]
    title: ClassVar[Any]
    columns: ClassVar[Sequence[str]]
    most: ClassVar[int | None] = None  # lines of the CSV
    paginate_by = 50
    paginator_class = CappedPaginator

    def rows(self) -> QuerySet[Any]:
        raise NotImplementedError

    def line(self, row: Any) -> Sequence[Cell]:
        raise NotImplementedError

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("format") == "csv":
            lines = (self.line(row) for row in self.get_queryset()[: self.most])
            return attachment(spreadsheets.csv_of(self.columns, lines), self.file, "csv")
        return super().get(request, *args, **kwargs)

    def get_template_names(self) -> list[str]:
        names = super().get_template_names()
        return names if self.organization.is_root else ["billing/billed_by_root.html"]

    def get_queryset(self) -> QuerySet[Any]:
        self.form = self.form_class(self.request.GET)
        self.form.is_valid()
        return self.rows().filter(self.form.condition())

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        context = super().get_context_data(title=self.title, **context)
        return {**context, "form": self.form, "is_filtered": bool(self.form.chosen())}
