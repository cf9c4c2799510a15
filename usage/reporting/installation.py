"""The state of the whole installation: the figures of the operators' home.

Each is cheap, however much there is: rows of a day are found by their primary keys, which begin with the time, what
waits is counted by partial indexes and only so far, and usage is read off the ledger's entries, never off the events.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Model, QuerySet, Sum

from accounts.lib.identifiers import first_uuid7
from accounts.lib.money import ZERO
from accounts.models import Delivery, Email, Organization, UnpublishedEvent, WebhookEndpoint
from billing.models import ChangeRequest, LedgerEntry, Payment, ReceivedEvent
from usage.models import LedgerProof

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
MOST = 10_000  # what waits is counted up to here
BURN = (LedgerEntry.Kind.USAGE, LedgerEntry.Kind.CAPTURE, LedgerEntry.Kind.SUBSCRIPTION)


@dataclass(frozen=True)
class Movement:
    """The sums of a day's ledger entries. `burn` is usage, in credits."""

    burn: Decimal
    active_payers: int


def since(rows: QuerySet[Any], moment: datetime) -> QuerySet[Any]:
    """The rows that were made from a moment on, by the primary key."""
    return rows.filter(id__gte=first_uuid7(moment))


def capped(rows: QuerySet[Any]) -> int:
    """The number of rows, or MOST + 1 if there are more."""
    return rows.order_by()[: MOST + 1].count()


def sign_ups(now: datetime, span: timedelta) -> int:
    return since(Organization.objects.filter(parent=None), now - span).count()


def movement(now: datetime) -> Movement:
    entries = since(LedgerEntry.objects.filter(kind__in=BURN), now - DAY)
    sums = entries.aggregate(burn=Sum("amount", default=ZERO), payers=Count("account", distinct=True))
    return Movement(-sums["burn"] or ZERO, sums["payers"])


def purchases(now: datetime) -> list[tuple[str, Decimal, int]]:
    """Currency, money and number of a day's successful payments; the largest number first."""
    paid = since(Payment.objects.filter(status=Payment.Status.SUCCEEDED), now - DAY)
    rows = paid.values_list("currency").annotate(money=Sum(F("amount") + F("tax")), n=Count("id")).order_by("-n")
    return [(currency, money, n) for currency, money, n in rows]


def failed_payments(now: datetime) -> int:
    return since(Payment.objects.filter(status=Payment.Status.FAILED), now - DAY).count()


def failed_deliveries(now: datetime) -> int:
    return capped(since(Delivery.objects.filter(status=Delivery.Status.FAILED), now - DAY))


def failing_endpoints() -> int:
    return WebhookEndpoint.objects.filter(status=WebhookEndpoint.Status.ENABLED, failures__gt=0).count()


def waiting() -> dict[str, int]:
    """The number of waiting rows in each queue."""
    queues: dict[str, QuerySet[Any, Model]] = {
        "events": UnpublishedEvent.objects.all(),
        "webhooks": Delivery.objects.filter(status=Delivery.Status.PENDING),
        "emails": Email.objects.all(),
        "gateway events": ReceivedEvent.objects.filter(handled_at=None),
    }
    return {name: capped(rows) for name, rows in queues.items()}


def requests_waiting(now: datetime) -> int:
    return ChangeRequest.objects.filter(state=ChangeRequest.State.WAITING, expires_at__gt=now).count()


def last_proof() -> LedgerProof | None:
    return LedgerProof.objects.order_by("-id").first()
