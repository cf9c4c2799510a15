"""The close of a month: once, it freezes what was used, issues a paper, and sets the mark before which usage is late.

A payer's months are closed one after the other, from the one in which its organization was made. Each has a row, which
is committed before the work and done with it. If the work is killed, it leaves nothing, and the next run does it.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Greatest

from accounts import events
from accounts.lib import months, sql
from accounts.lib.money import ZERO
from accounts.models import Organization
from billing import accounts, clock
from billing.invoicing import papers, postpaid
from billing.ledger import billing_zone, posting
from billing.ledger.billing_zone import BillingZone
from billing.models import BillingAccount, Invoice, LedgerAccount
from usage.models import MonthClose, MonthlyUsage
from usage.storage import freezing, month_balances, month_papers
from usage.storage.month_papers import Month

# A month has at least 28 days, and a change of the time zone takes at most 26 hours away from it.
SHORTEST = timedelta(days=26)

TO_CLOSE = """
SELECT a.organization_id, o.timezone, a.zones::text, o.clock_ahead, o.created_at, a.closed_through
  FROM billing_ledgeraccount a JOIN accounts_organization o ON o.id = a.organization_id
 WHERE a.closed_through IS NULL OR a.closed_through <= %(latest)s + coalesce(o.clock_ahead, '0')
 ORDER BY a.closed_through NULLS FIRST
"""


def due(now: datetime) -> Iterator[UUID]:
    """The payers of which a month has ended, by their clocks, that is not closed; those that wait longest first."""
    for account, timezone, zones, ahead, created_at, closed_through in sql.rows(TO_CLOSE, {"latest": now - SHORTEST}):
        zone = billing_zone.parse(timezone, zones)
        if zone.bounds(zone.month_of(closed_through or created_at))[1] <= now + (ahead or clock.NOT_MOVED):
            yield account


def close_ended(account: UUID, now: datetime) -> list[MonthClose]:
    """Close every month of the payer that has ended, one transaction each."""
    closed = []
    while close := _start(account, now):
        closed.append(finish(close, now))
    return closed


def _start(account: UUID, now: datetime) -> MonthClose | None:
    """The row of the payer's next month; None if that has not ended."""
    ledger = LedgerAccount.objects.select_related("organization").get(pk=account)
    zone = billing_zone.of(ledger.organization)
    last = MonthClose.objects.done().filter(account=ledger).order_by("-month").first()
    month = months.shift(last.month, 1) if last else zone.month_of(ledger.organization.created_at)
    starts_at, ends_at = last.ends_at if last else None, zone.bounds(month)[1]
    if ends_at > now:
        return None
    row = MonthClose(account=ledger, month=month, starts_at=starts_at, ends_at=ends_at, started_at=now)
    MonthClose.objects.bulk_create([row], ignore_conflicts=True)  # it may have been started before
    return MonthClose.objects.get(account=ledger, month=month)


@transaction.atomic
def finish(close: MonthClose, now: datetime) -> MonthClose:
    """Do the work of a month that was started, unless it is done.

    It is under the payer's lock: what was committed before is in the closed figures, and what comes after knows that it
    is late. The mark is also the least time of what is posted after it.
    """
    locked = posting.lock([close.account_id], now)[close.account_id]
    close = MonthClose.objects.get(pk=close.pk)
    if close.is_done:
        return close
    freezing.freeze(close, locked.zone)
    month = _month(close, locked.zone)
    close.status, close.done_at = MonthClose.Status.DONE, now
    close.opening, close.closing, close.owed = month.balance.opening, month.balance.closing, month.owed
    LedgerAccount.objects.filter(pk=close.account_id).update(
        closed_through=close.ends_at, updated_at=Greatest("updated_at", Value(now))
    )
    data = {"month": str(close), "opening": close.opening, "used": month.balance.used, "closing": close.closing}
    events.record(close.account_id, "month.closed", data, now)
    _issue_paper(month, now)
    close.save()
    return close


def _month(close: MonthClose, zone: BillingZone) -> Month:
    last = MonthClose.objects.done().filter(account=close.account_id).order_by("-month").first()
    usage = MonthlyUsage.objects.filter(account_id=close.account_id, month=close.month).order_by("pk")
    payer = Organization.objects.get(pk=close.account_id)
    account = BillingAccount.objects.of(payer).first()
    owed = ZERO
    if account and account.is_postpaid:
        accounts.fix_currency(account)
        owed = postpaid.owed(payer.pk, close.ends_at)
    return Month(
        payer=payer,
        account=account,
        start=close.starts_at or zone.bounds(close.month)[0],
        close=close,
        balance=month_balances.of(close, (last and last.closing) or ZERO),
        usage=list(usage.select_related("meter", "organization")),
        owed_before=last.owed if last else ZERO,
        owed=owed,
    )


def _issue_paper(month: Month, now: datetime) -> None:
    """Last of all, because every payer waits for the number of an invoice until this transaction has committed."""
    if draft := month_papers.draft(month):
        month.close.paper = papers.issue(draft, now=now)
        if month.close.paper.kind == Invoice.Kind.INVOICE:
            month.close.owed += month.close.paper.subtotal
