"""Usage events as callers send them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from accounts.models import Organization
from apikeys.models import ApiKey
from billing.models import LedgerAccount, LedgerEntry
from usage import metering

_numbers = count(1)


def event(owner: Organization | ApiKey, **fields: Any) -> dict[str, Any]:
    """An event of a request, by organization or by key, with an id of its own unless one is given."""
    owner_id = {"key_id" if isinstance(owner, ApiKey) else "organization": owner.public_id}
    return {"id": f"e{next(_numbers)}", **owner_id, "meter": "requests", **fields}


def record(*batch: Any, at: datetime | None = None) -> list[metering.Result]:
    """Record a batch, which arrives now or `at`."""
    recorded = metering.record(batch, (lambda: at)) if at else metering.record(batch)
    return recorded.results


def outcomes(*batch: Any, at: datetime | None = None) -> list[str]:
    return [result.result for result in record(*batch, at=at)]


def usage_entries(organization: Organization) -> list[tuple[int, Decimal]]:
    rows = LedgerEntry.objects.of(organization).filter(kind="usage").order_by("seq")
    return list(rows.values_list("seq", "amount"))


def balance(organization: Organization) -> Decimal:
    return sum(LedgerAccount.objects.of(organization).values_list("balance", flat=True), Decimal(0))


def this_month(day: int, hour: int = 12) -> datetime:
    """A moment of the month in which the tests run, for which there is a partition."""
    return datetime.now(UTC).replace(day=day, hour=hour, minute=0, second=0, microsecond=0)


def next_month_starts() -> datetime:
    return (this_month(1, 0) + timedelta(days=32)).replace(day=1)
