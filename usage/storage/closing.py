"""The close of a month: once, it freezes what was used, issues a paper, and sets the mark before which usage is late.

A payer's months are closed one after the other, from the one in which its organization was made. Each has a row, which
is committed before the work, and marked as done together with it. If the work is killed, it leaves nothing behind, and
the next run does it.

Months of many payers are closed together, by the same statements in one transaction. If that fails because of one of
them, `usage.tasks` closes each separately.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import prefetch_related_objects

from accounts import events
from accounts.lib import distribution, instances, months, sql
from accounts.lib.money import ZERO
from accounts.models import Organization
from billing import accounts
from billing.invoicing import papers, postpaid, tax
from billing.invoicing.papers import Draft
from billing.invoicing.tax import Tax
from billing.ledger import billing_zone, posting
from billing.ledger.billing_zone import BillingZone
from billing.models import BillingAccount, Invoice, Meter
from usage.models import MonthClose, MonthlyUsage
from usage.storage import ended_months, freezing, month_balances, month_papers, price_steps
from usage.storage.month_balances import MonthBalance
from usage.storage.month_papers import ClosedMonth

# A month has at least 28 days, and a change of the time zone takes at most 26 hours away from it.
SHORTEST = timedelta(days=26)

# The taxes of net sums, by the payer.
Assessed = Mapping[tuple[UUID, Decimal], list[Tax]]

BATCH = 200  # payers that are closed together: while they are locked, their calls wait

# Those whose clocks were moved are closed by them: see `advancing`.
TO_CLOSE = """
SELECT a.organization_id, o.timezone, a.zones::text, o.created_at, a.closed_through
  FROM billing_ledgeraccount a JOIN accounts_organization o ON o.id = a.organization_id
 WHERE (a.closed_through IS NULL OR a.closed_through <= %(latest)s) AND o.clock_ahead IS NULL
 ORDER BY a.closed_through NULLS FIRST
"""

LAST = """
SELECT a.organization_id, o.timezone, a.zones::text, o.created_at, last.month, last.ends_at
  FROM billing_ledgeraccount a JOIN accounts_organization o ON o.id = a.organization_id
  LEFT JOIN LATERAL (SELECT month, ends_at FROM usage_monthclose c
                      WHERE c.account_id = a.organization_id AND c.status = 'done'
                      ORDER BY month DESC LIMIT 1) last ON true
 WHERE a.organization_id = ANY(%(accounts)s::uuid[])
 ORDER BY a.organization_id
"""

# They may have been started before.
START = """
INSERT INTO usage_monthclose (account_id, month, starts_at, ends_at, status, started_at)
SELECT account_id, month, starts_at, ends_at, 'started', %(now)s
  FROM unnest(%(accounts)s::uuid[], %(months)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
       AS m(account_id, month, starts_at, ends_at)
ON CONFLICT (account_id, month) DO NOTHING
"""

CLOSES = sql.compose(
    """
SELECT {columns} FROM usage_monthclose c
 WHERE account_id = ANY(%(accounts)s::uuid[]) AND month = ANY(%(months)s::date[])
""",
    columns=instances.columns(MonthClose, "c"),
)
PAYERS = sql.compose(
    """
SELECT {organization}, {account}
  FROM accounts_organization o LEFT JOIN billing_billingaccount b ON b.organization_id = o.id
 WHERE o.id = ANY(%(accounts)s::uuid[])
 ORDER BY o.id
""",
    organization=instances.columns(Organization, "o"),
    account=instances.columns(BillingAccount, "b"),
)

# The mark is also the least time of what is posted after it.
DONE = """
WITH done AS (
    UPDATE usage_monthclose c
       SET status = 'done', done_at = %(now)s, opening = d.opening, closing = d.closing, owed = d.owed,
           paper_id = d.paper_id
      FROM unnest(%(accounts)s::uuid[], %(months)s::date[], %(openings)s::numeric[], %(closings)s::numeric[],
                  %(owed)s::numeric[], %(papers)s::uuid[]) AS d(account_id, month, opening, closing, owed, paper_id)
     WHERE (c.account_id, c.month) = (d.account_id, d.month) AND c.account_id = ANY(%(accounts)s::uuid[])
    RETURNING c.account_id, c.ends_at)
UPDATE billing_ledgeraccount a SET closed_through = done.ends_at, updated_at = greatest(a.updated_at, %(now)s)
  FROM done WHERE a.organization_id = done.account_id AND a.organization_id = ANY(%(accounts)s::uuid[])
"""


def batches(now: datetime) -> Iterator[Sequence[UUID]]:
    """The payers that are due, in the groups that are closed together.

    If an outside service assesses taxes, each is closed on its own: it is begun again for each invoice's answer. So it
    is where the tables are distributed, since each is on its own machine.
    """
    size = BATCH if settings.TAX_PROVIDER == tax.TABLE and not distribution.is_distributed() else 1
    payers = due(now)
    while batch := list(islice(payers, size)):
        yield batch


def due(now: datetime) -> Iterator[UUID]:
    """The payers with a month that has ended but isn't closed; those that wait longest first."""
    for account, timezone, zones, created_at, closed_through in sql.rows(TO_CLOSE, {"latest": now - SHORTEST}):
        zone = billing_zone.parse(timezone, zones)
        if zone.bounds(zone.month_of(closed_through or created_at))[1] <= now:
            yield account


def close_ended(payers: Collection[UUID], now: datetime) -> list[MonthClose]:
    """Close every ended month of these payers: each transaction closes the next month of all of them."""
    if len(payers) > 1 and distribution.is_distributed():
        return [close for payer in payers for close in close_ended([payer], now)]
    closed = []
    while payers:
        started, payers = _start(payers, now)
        closed += finish(started, now) if started else []
    return closed


def _start(payers: Collection[UUID], now: datetime) -> tuple[dict[UUID, date], list[UUID]]:
    """Start the next ended month of each payer. Also returns the payers whose month after it has ended too."""
    columns: dict[str, list[Any]] = {"accounts": [], "months": [], "starts": [], "ends": []}
    more = []
    for account, timezone, zones, created_at, last, last_end in sql.rows(LAST, {"accounts": sql.array(payers)}):
        zone = billing_zone.parse(timezone, zones)
        month = months.shift(last, 1) if last else zone.month_of(created_at)
        end = zone.bounds(month)[1]
        if end <= now:
            for column, value in zip(columns.values(), (account, month, last_end, end), strict=True):
                column.append(value)
            if zone.bounds(months.shift(month, 1))[1] <= now:
                more.append(account)
    if columns["accounts"]:
        sql.rows(START, {**sql.arrays(columns), "now": now})
    return dict(zip(columns["accounts"], columns["months"], strict=True)), more


class _NotAssessed(Exception):
    """The taxes of an invoice must be assessed first, outside the transaction."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft


def finish(started: Mapping[UUID, date], now: datetime) -> list[MonthClose]:
    """Do the work of months that were started, one of each payer, unless they are done.

    A service that assesses taxes is asked with no transaction open, about the sum that was found under the lock. If it
    is another one when we come back, we ask again. In the same way many events are read before the lock.
    """
    assessed: dict[tuple[UUID, Decimal], list[Tax]] = {}
    charges = price_steps.Charges()
    while True:
        try:
            return _finish(started, now, assessed, charges)
        except price_steps.ManyEvents as many:
            charges.read(many)
        except _NotAssessed as missing:
            payer, net = missing.draft.payer, missing.draft.subtotal
            account = BillingAccount.objects.of(payer).get()
            assessed[payer.pk, net] = tax.assess(account, net, missing.draft.currency, now)


@transaction.atomic
def _finish(
    started: Mapping[UUID, date], now: datetime, assessed: Assessed, charges: price_steps.Charges
) -> list[MonthClose]:
    """Under the payers' locks: usage committed before is in the closed figures, and later usage is marked as late. The
    papers are issued last, because everybody waits for invoice numbers until this commits.
    """
    locked = posting.lock(started, now)
    closes = _closes(started)
    undone = [closes[key] for key in sorted(started.items()) if not closes[key].is_done]
    if undone:
        zones = {account: state.zone for account, state in locked.items()}
        ended = _months(undone, closes, zones, charges)
        _record(ended, now)
        _issue_papers(ended, now, assessed)
        _save(undone, now)
    return [closes[key] for key in started.items()]


def _closes(started: Mapping[UUID, date]) -> dict[tuple[UUID, date], MonthClose]:
    """The closes of these months, and of those before them."""
    firsts = {first for month in started.values() for first in (month, months.shift(month, -1))}
    parameters = {"accounts": sql.array(started), "months": sql.array(firsts)}
    return {(close.account_id, close.month): close for (close,) in instances.read(CLOSES, parameters, MonthClose)}


def _months(
    undone: Sequence[MonthClose],
    closes: Mapping[tuple[UUID, date], MonthClose],
    zones: Mapping[UUID, BillingZone],
    charges: price_steps.Charges,
) -> list[ClosedMonth]:
    """Freeze the usage, and gather the data for the papers."""
    parameters = ended_months.parameters(undone, zones)
    frozen, moved = freezing.freeze(parameters, zones), month_balances.moved(parameters)
    by_payer = {close.account_id: close for close in undone}
    payers = instances.read(PAYERS, {"accounts": sql.array(by_payer)}, Organization, BillingAccount)
    accounts_of = {payer.pk: account for payer, account in payers}
    owed, usage = _owed(undone, accounts_of), _usage(frozen)
    steps = price_steps.of(frozen, by_payer, zones, charges)
    ended = []
    for payer, account in payers:
        close, used = by_payer[payer.pk], usage[payer.pk]
        last = closes.get((payer.pk, months.shift(close.month, -1)))
        ended.append(
            ClosedMonth(
                payer=payer,
                account=account,
                start=ended_months.start(close, zones[payer.pk]),
                close=close,
                balance=MonthBalance((last and last.closing) or ZERO, moved.get(payer.pk, {}), _credits(used)),
                usage=used,
                steps=steps,
                owed_before=last.owed if last else ZERO,
                owed=owed.get(payer.pk, ZERO),
            )
        )
    return ended


def _owed(undone: Iterable[MonthClose], accounts_of: Mapping[UUID, BillingAccount | None]) -> dict[UUID, Decimal]:
    """The amounts that earlier invoices of postpaid payers still demand."""
    ends = {}
    for close in undone:
        account = accounts_of[close.account_id]
        if account and account.is_postpaid:
            if not account.currency:
                accounts.fix_currency(account)
            ends[close.account_id] = close.ends_at
    return postpaid.owed(ends)


def _usage(frozen: Sequence[MonthlyUsage]) -> Mapping[UUID, list[MonthlyUsage]]:
    """By payer, with the meters and their prices, and with those organizations that are named."""
    meters = Meter.objects.select_related("price").prefetch_related("price__tiers")
    by_id = meters.in_bulk({row.meter_id for row in frozen})
    prefetch_related_objects([row for row in frozen if row.organization_id != row.account_id], "organization")
    usage: defaultdict[UUID, list[MonthlyUsage]] = defaultdict(list)
    for row in frozen:
        row.meter = by_id[row.meter_id]
        usage[row.account_id].append(row)
    return usage


def _credits(usage: Iterable[MonthlyUsage]) -> Decimal:
    return sum((row.credits for row in usage), ZERO)


def _record(ended: Sequence[ClosedMonth], now: datetime) -> None:
    """Write the figures, and record the events with them."""
    for month in ended:
        month.close.status, month.close.done_at = MonthClose.Status.DONE, now
        month.close.opening, month.close.closing = month.balance.opening, month.balance.closing
        month.close.owed = month.owed
    happenings = [(month.payer.pk, _told(month), ()) for month in ended]
    events.record_all("month.closed", happenings, now)


def _told(month: ClosedMonth) -> dict[str, Any]:
    return {
        "month": str(month.close),
        "opening": month.balance.opening,
        "used": month.balance.used,
        "closing": month.balance.closing,
    }


def _issue_papers(ended: Iterable[ClosedMonth], now: datetime, assessed: Assessed) -> None:
    drafts = ((month.close, month_papers.draft(month)) for month in ended)
    drafted = [(close, _with_taxes(draft, assessed)) for close, draft in drafts if draft]
    issued = papers.issue_all([draft for _, draft in drafted], now=now) if drafted else []
    for (close, _), paper in zip(drafted, issued, strict=True):
        close.paper = paper
        if paper.kind == Invoice.Kind.INVOICE:
            close.owed += paper.subtotal


def _with_taxes(draft: Draft, assessed: Assessed) -> Draft:
    """The table of rates is asked when the paper is issued."""
    if not draft.is_owed or settings.TAX_PROVIDER == tax.TABLE:
        return draft
    taxes = assessed.get((draft.payer.pk, draft.subtotal))
    if taxes is None:
        raise _NotAssessed(draft)
    return replace(draft, taxes=taxes)


def _save(closes: Sequence[MonthClose], now: datetime) -> None:
    columns = {
        "accounts": [close.account_id for close in closes],
        "months": [close.month for close in closes],
        "openings": [close.opening for close in closes],
        "closings": [close.closing for close in closes],
        "owed": [close.owed for close in closes],
        "papers": [close.paper_id for close in closes],
    }
    sql.rows(DONE, {**sql.arrays(columns), "now": now})
