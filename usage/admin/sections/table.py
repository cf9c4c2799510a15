"""The tables on the page of a customer."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from accounts.lib.languages import written
from accounts.models import Organization
from billing.admin.change_requests import address, may_ask
from billing.templatetags.money import aligned, amount

SHOWN = 10
NOTHING = "–"


@dataclass(frozen=True)
class Cell:
    text: Any
    url: str = ""
    kind: str = ""  # `number`, `id`, `bad`
    indent: str = ""
    actions: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """A table. `url` leads to the whole list."""

    title: str
    columns: list[str]
    rows: list[list[Cell]]
    url: str = ""

    @property
    def lines(self) -> list[list[Cell]]:
        """The rows, with as many decimals in a column of numbers as its longest has."""
        columns = [_aligned(column) for column in zip(*self.rows, strict=True)]
        return [list(row) for row in zip(*columns, strict=True)]

    @property
    def headings(self) -> list[tuple[str, bool]]:
        """The names of the columns, and whether numbers stand in them."""
        return [(name, cell.kind == "number") for name, cell in zip(self.columns, self.rows[0], strict=True)]


@dataclass(frozen=True)
class Customer:
    """A root organization, the operator who looks at it, and the time."""

    root: Organization
    request: HttpRequest
    now: datetime

    def may(self, permission: str) -> bool:
        return self.request.user.has_perm(permission)

    def action(self, kind: str, subject: str, label: str) -> list[tuple[str, str]]:
        """A link to the form of the change request, if the operator may use it."""
        return [(label, address(kind, subject))] if may_ask(self.request, kind) else []

    def page(self, row: Model) -> str:
        """The admin's own page of a row."""
        return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])

    def list(self, model: type[Model]) -> str:
        """The admin's list, searched for the customer."""
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        return f"{reverse(name)}?{urlencode({'q': self.root.public_id})}"


def _aligned(column: Sequence[Cell]) -> list[Cell]:
    if column[0].kind != "number":
        return list(column)
    places = max(len(str(cell.text).partition(written("."))[2]) for cell in column)
    return [replace(cell, text=aligned(cell.text, places)) if cell.text != NOTHING else cell for cell in column]


def number(value: Any) -> Cell:
    return Cell(NOTHING if value is None else amount(value), kind="number")


def moment(value: datetime | None) -> Cell:
    return Cell(f"{value:%Y-%m-%d %H:%M}" if value else NOTHING)
