"""Numbers in the admin. A column of a list has the same decimals in all rows, as many as the longest number needs; on
the page of a row each number has those that it needs. Django shows all nine that the database keeps.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest

from accounts.lib.languages import written
from accounts.lib.money import plain

MINUS = "\u2212"


class NumbersChangeList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.list_display = [self._column(name) for name in self.list_display]

    def _column(self, name: Any) -> Any:
        try:
            field = self.lookup_opts.get_field(name) if isinstance(name, str) else None
        except FieldDoesNotExist:
            return name
        return self._numbers(field) if isinstance(field, models.DecimalField) else name

    def _numbers(self, field: models.DecimalField[Any, Any]) -> Callable[[Any], str | None]:
        values = [getattr(row, field.name) for row in self.result_list]
        return _shown(field, max((_places(value) for value in values if value is not None), default=0))


def plainly(model: type[models.Model], names: Iterable[Any]) -> list[Any]:
    """The fields of a page that only shows them: the numbers among them as functions that write them."""
    numbers = {field.name: field for field in model._meta.concrete_fields if isinstance(field, models.DecimalField)}
    return [_shown(numbers[name]) if name in numbers else name for name in names]


def _places(value: Decimal) -> int:
    return len(plain(value).partition(".")[2])


def _shown(field: models.DecimalField[Any, Any], places: int | None = None) -> Callable[[Any], str | None]:
    """What the admin takes for a column. Without `places`, each number has the decimals that it needs."""

    def shown(row: Any) -> str | None:
        value: Decimal | None = getattr(row, field.name)
        if value is None:
            return None
        return written(f"{value:,.{_places(value) if places is None else places}f}").replace("-", MINUS)

    shown.__name__ = field.name  # the name of the column's CSS class
    shown.short_description = field.verbose_name  # type: ignore[attr-defined]
    shown.admin_order_field = field.name  # type: ignore[attr-defined]
    return shown
