"""Pages of a list that may have millions of rows."""

from functools import cached_property
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet

MOST = 10_000
DEEPEST = 1_000_000


class CappedPaginator(Paginator[Any]):
    """Counts no further than 10,000 rows, or the page that is asked for; the page then says “of more than 10,000”.

    To count a million rows takes longer than everything else on the page. No page begins after a million rows.
    """

    limit = MOST
    object_list: QuerySet[Any]

    def page(self, number: int | str) -> Page[Any]:
        self.limit = min(max(MOST, int(number) * self.per_page), DEEPEST)
        for name in ("count", "num_pages"):  # `?page=last` has counted already, to a smaller limit
            vars(self).pop(name, None)
        return super().page(number)

    @cached_property
    def count(self) -> int:
        """The rows, or one more than the limit if there are more."""
        return self.object_list[: self.limit + 1].count()

    @property
    def is_capped(self) -> bool:
        return self.count > self.limit
