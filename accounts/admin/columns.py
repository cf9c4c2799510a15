"""Columns of numbers in the admin's lists: the same decimals in all rows, as many as the longest number needs."""

from collections.abc import Callable
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
    """Django shows all nine decimals that the database keeps."""

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
        places = max((len(plain(value).partition(".")[2]) for value in values if value is not None), default=0)

        def shown(row: Any) -> str | None:
            value: Decimal | None = getattr(row, field.name)
            return None if value is None else written(f"{value:,.{places}f}").replace("-", MINUS)

        shown.__name__ = field.name  # the name of the column's CSS class
        shown.short_description = field.verbose_name  # type: ignore[attr-defined]
        shown.admin_order_field = field.name  # type: ignore[attr-defined]
        return shown
