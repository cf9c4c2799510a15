"""The close of a month: once, it freezes what was used, issues a paper, and sets the mark before which usage is late.

A payer's months are closed one after the other, from the one in which its organization was made. Each has a row, which
is committed before the work and done with it. If the work is killed, it leaves nothing, and the next run does it.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
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
from billing.models import Invoice, LedgerAccount
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

LAST = """
SELECT o.timezone, a.zones::text, o.created_at, last.month, last.ends_at
  FROM billing_ledgeraccount a JOIN accounts_organization o ON o.id = a.organization_id
  LEFT JOIN LATERAL (SELECT month, ends_at FROM usage_monthclose c
                      WHERE c.account_id = a.organization_id AND c.status = 'done'
                      ORDER BY month DESC LIMIT 1) last ON true
 WHERE a.organization_id = %(account)s
"""

# It may have been started before.
START = """
INSERT INTO usage_monthclose (account_id, month, starts_at, ends_at, status, started_at)
VALUES (%(account)s, %(month)s, %(start)s::timestamptz, %(end)s, 'started', %(now)s)
ON CONFLICT (account_id, month) DO NOTHING
"""


def due(now: datetime) -> Iterator[UUID]:
    """The payers of which a month has ended, by their clocks, that is not closed; those that wait longest first."""
    for account, timezone, zones, ahead, created_at, closed_through in sql.rows(TO_CLOSE, {"latest": now - SHORTEST}):
        zone = billing_zone.parse(timezone, zones)
        if zone.bounds(zone.month_of(closed_through or created_at))[1] <= now + (ahead or clock.NOT_MOVED):
            yield account


def close_ended(account: UUID, now: datetime) -> list[MonthClose]:
    """Close every month of the payer that has ended, one transaction each."""
    [(timezone, zones, created_at, last_month, start)] = sql.rows(LAST, {"account": account})
    zone = billing_zone.parse(timezone, zones)
    month = months.shift(last_month, 1) if last_month else zone.month_of(created_at)
    closed = []
    while (end := zone.bounds(month)[1]) <= now:
        sql.rows(START, {"account": account, "month": month, "start": start, "end": end, "now": now})
        closed.append(finish(account, month, now))
        month, start = months.shift(month, 1), end
    return closed


@transaction.atomic
def finish(account: UUID, month: date, now: datetime) -> MonthClose:
    """Do the work of a month that was started, unless it is done.

    It is under the payer's lock: what was committed before is in the closed figures, and what comes after knows that it
    is late. The mark is also the least time of what is posted after it.
    """
    zone = posting.lock([account], now)[account].zone
    close, *before = MonthClose.objects.filter(account=account, month__lte=month).order_by("-month")[:2]
    if close.is_done:
        return close
    freezing.freeze(close, zone)
    closed = _month(close, before[0] if before else None, zone)
    close.status, close.done_at = MonthClose.Status.DONE, now
    close.opening, close.closing, close.owed = closed.balance.opening, closed.balance.closing, closed.owed
    LedgerAccount.objects.filter(pk=account).update(
        closed_through=close.ends_at, updated_at=Greatest("updated_at", Value(now))
    )
    data = {"month": str(close), "opening": close.opening, "used": closed.balance.used, "closing": close.closing}
    events.record(account, "month.closed", data, now)
    _issue_paper(closed, now)
    close.save()
    return close


def _month(close: MonthClose, last: MonthClose | None, zone: BillingZone) -> Month:
    """`last` is the close before it."""
    frozen = MonthlyUsage.objects.filter(account_id=close.account_id, month=close.month)
    usage = list(frozen.select_related("meter", "organization").order_by("pk"))
    payer = Organization.objects.select_related("billing_account").get(pk=close.account_id)
    account = getattr(payer, "billing_account", None)
    owed = ZERO
    if account and account.is_postpaid:
        accounts.fix_currency(account)
        owed = postpaid.owed(payer.pk, close.ends_at)
    return Month(
        payer=payer,
        account=account,
        start=close.starts_at or zone.bounds(close.month)[0],
        close=close,
        balance=month_balances.of(close, (last and last.closing) or ZERO, usage),
        usage=usage,
        owed_before=last.owed if last else ZERO,
        owed=owed,
    )


def _issue_paper(month: Month, now: datetime) -> None:
    """Last of all, because every payer waits for the number of an invoice until this transaction has committed."""
    if draft := month_papers.draft(month):
        month.close.paper = papers.issue(draft, now=now)
        if month.close.paper.kind == Invoice.Kind.INVOICE:
            month.close.owed += month.close.paper.subtotal
