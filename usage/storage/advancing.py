"""Moving a payer's clock ahead, and running what falls due in between, in order.

The clock is set to each moment at which something is due, and everything due then runs with that moment as its now. So
an integrator sees in seconds what would happen in a year.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.conf import settings
from django.db import ProgrammingError
from django.db.models import F, Min, QuerySet

from accounts import events
from accounts.lib import broker, deadlines
from accounts.lib.problems import Conflict, InvalidField
from accounts.models import Organization
from billing import clock
from billing.invoicing import dunning, renewals
from billing.ledger import alerts, balances, billing_zone, posting
from billing.models import InvoiceState, LedgerAccount, Payment, Refund
from billing.payments import payments, recharge, refunding
from usage.storage import closing, partitions

log = structlog.get_logger()

RUN = "usage.tasks.run_moved_clocks"
STOP_SECONDS = 2  # at most for all that is due at one moment
ROOM = 15  # months: as far as the API moves a clock at once, and the month that it then is in


class ClockNotReady(Conflict):
    """A process that may not make tables moves a clock into a month without a partition. The worker makes them."""

    code = "clock_not_ready"
    detail = "The clock can't be moved so far yet. Try again in a minute, at most a year ahead at once."


class ClockUnderWay(Conflict):
    """The move takes longer than the request may. What was done is done, and the next request goes on from there."""

    code = "clock_under_way"
    detail = "The clock is on its way, and at `now`. Send the same request again until it has arrived."


@dataclass(frozen=True)
class Work:
    """A kind of scheduled work: when it is next due for a payer (None: nothing waits), and its function."""

    due: Callable[[Organization, datetime], datetime | None]
    run: Callable[[Organization, datetime], object]


def _credits_due(payer: Organization, now: datetime) -> datetime | None:
    ledger = LedgerAccount.objects.of(payer).first()
    return ledger.due_at if ledger else None


def _month_end(payer: Organization, now: datetime) -> datetime:
    zone = billing_zone.of(payer)
    return zone.bounds(zone.month_of(now))[1]


def _payments_due(payer: Organization, now: datetime) -> datetime | None:
    waiting = Payment.objects.of(payer).filter(status__in=Payment.OPEN)
    moment: datetime | None = waiting.aggregate(due=Min("next_attempt_at"))["due"]
    return moment


def _settle_payments(payer: Organization, now: datetime) -> None:
    for payment in Payment.objects.of(payer).filter(status__in=Payment.OPEN, next_attempt_at__lte=now):
        payments.complete(payment.pk)


def _refunds_due(payer: Organization, now: datetime) -> datetime | None:
    waiting = Refund.objects.filter(payment__organization=payer, status=Refund.Status.PENDING)
    moment: datetime | None = waiting.aggregate(due=Min("next_attempt_at"))["due"]
    return moment


def _settle_refunds(payer: Organization, now: datetime) -> None:
    waiting = Refund.objects.filter(payment__organization=payer, status=Refund.Status.PENDING)
    for refund in waiting.filter(next_attempt_at__lte=now):
        refunding.complete(refund.pk)


def _unpaid(payer: Organization) -> QuerySet[InvoiceState]:
    return InvoiceState.objects.filter(invoice__organization=payer, status__in=InvoiceState.UNPAID)


def _dunning_due(payer: Organization, now: datetime) -> datetime | None:
    moment: datetime | None = _unpaid(payer).aggregate(due=Min("next_attempt_at"))["due"]
    return moment


def _dun(payer: Organization, now: datetime) -> None:
    for state in _unpaid(payer).filter(next_attempt_at__lte=now):
        dunning.advance(state.pk, now)


# In the order in which they run at one moment. Auto-recharge comes after what may take the balance below its threshold;
# a renewal that needs it begins it itself. The end of a month is always due next, so that a year has twelve stops.
WORK = (
    Work(_credits_due, lambda payer, now: posting.bring_up_to_date(payer.pk, now)),
    Work(_payments_due, _settle_payments),
    Work(_refunds_due, _settle_refunds),
    Work(lambda payer, now: renewals.next_due(payer), renewals.run),
    Work(_month_end, lambda payer, now: closing.close_ended([payer.pk], now)),
    Work(_dunning_due, _dun),
    Work(lambda payer, now: recharge.assess(payer, now).next_attempt_at, recharge.run),
    Work(lambda payer, now: None, lambda payer, now: alerts.end(now, payer.pk)),
)


def advance(payer: Organization, to: datetime, *, actor: events.Actor = events.SYSTEM) -> datetime:
    """Move the payer's clock to `to`, and run what falls due on the way. Returns its now.

    The first move marks the organization for good. If this is killed half-way, the clock shows how far it got. Within a
    request, `ClockUnderWay` before its time is up.
    """
    now = clock.now(payer)
    clock.check_movable(payer)
    if to < now:
        raise InvalidField("now", "Clocks are not set back.")
    _check_room(now, to)
    balances.open_accounts([payer.pk], now)
    moved = {"before": now.isoformat(), "after": to.isoformat()}
    events.record(payer.pk, "clock.moved", moved, now, actor=actor, targets=[payer.public_id])
    while now < to:
        now = min([to, *(moment for moment in _due(payer, now) if moment > now)])
        clock.move(payer.pk, now)
        payer = Organization.objects.get(pk=payer.pk)
        run_due(payer, now)
        if now < to and deadlines.is_within(STOP_SECONDS):
            raise ClockUnderWay(now=now.isoformat())
    return now


def _check_room(now: datetime, to: datetime) -> None:
    """Called before anything is moved."""
    try:
        partitions.ensure(now, ahead=(to.year - now.year) * 12 + to.month - now.month + 1)
    except ProgrammingError as error:
        broker.nudge(RUN)
        raise ClockNotReady from error


def _due(payer: Organization, now: datetime) -> list[datetime]:
    return [moment for work in WORK if (moment := work.due(payer, now))]


def run_due(payer: Organization, now: datetime) -> None:
    """Run everything that is due by `now`. A failure is logged, and doesn't stop the rest."""
    for work in WORK:
        try:
            work.run(payer, now)
        except Exception:
            log.exception("not run by a moved clock", organization=payer.public_id)


def sweep(real_now: datetime) -> int:
    """Run what has fallen due by the moved clocks, which go on at the usual speed, and make the partitions for the next
    moves.
    """
    if settings.PAYMENT_GATEWAY == clock.SANDBOX:
        partitions.ensure(real_now, ahead=ROOM)
    moved = Organization.objects.filter(pk=F("root"), clock_ahead__isnull=False)
    for payer in moved:
        now = clock.at(payer, real_now)
        partitions.ensure(now, ahead=ROOM)
        run_due(payer, now)
    return len(moved)
