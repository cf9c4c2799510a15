"""The paper of a closed month: a statement of what moved the balance, or a postpaid payer's invoice of what it owes.

An invoice demands the debt at the end of the month, less what earlier invoices already demand, rounded down to what can
be paid: whole units of money, and not below the smallest charge. The rest stays in the balance, and is part of the next
invoice. The lines are rounded so that they add up to the total; the annex has them exactly.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from accounts.lib.money import ZERO
from accounts.models import Organization
from billing.invoicing.papers import Draft, Line
from billing.models import BillingAccount, Invoice, LedgerEntry
from billing.payments import minor_units
from usage.models import MonthClose, MonthlyUsage
from usage.storage.month_balances import MonthBalance
from usage.storage.price_steps import PriceStep

Kind = LedgerEntry.Kind

# What a line may say of the quantity.
MOST_UNITS = Decimal(10**15)

# The lines of a statement before the usage, and those that follow it, with the kinds of entry in each.
GAINS = {"Brought forward": Kind.IMPORT, "Bought": Kind.PURCHASE, "Granted": Kind.GRANT}
GROUPS = {
    "Captured holds": (Kind.CAPTURE,),
    "Subscriptions": (Kind.SUBSCRIPTION,),
    "Expired": (Kind.EXPIRY,),
    "Refunded": (Kind.REFUND, Kind.CHARGEBACK),
    "Corrections": (Kind.REVERSAL, Kind.ADJUSTMENT),
}


@dataclass(frozen=True)
class ClosedMonth:
    """The data for a paper.

    - `steps`: the price steps of each row of the usage, by its key.
    - `owed_before`, `owed`: what earlier invoices of a postpaid payer demand, at the previous close and now.
    """

    payer: Organization
    account: BillingAccount | None
    start: datetime
    close: MonthClose
    balance: MonthBalance
    usage: Sequence[MonthlyUsage]
    steps: Mapping[int, Sequence[PriceStep]]
    owed_before: Decimal
    owed: Decimal

    @property
    def debt(self) -> Decimal:
        """The exact debt that no invoice demands yet. If negative, there are credits."""
        return -self.balance.closing - self.owed


def draft(month: ClosedMonth) -> Draft | None:
    """None if nothing moved, or there is nobody to send a paper to."""
    account = month.account
    if account is None:
        return None
    if account.is_postpaid and (due := _due(month, account.currency)):
        return _invoice(month, account.currency, due)
    return _statement(month, account.currency) if month.usage or month.balance.moved else None


def _due(month: ClosedMonth, currency: str) -> Decimal:
    """Less than a card can be charged stays in the balance, for the next invoice."""
    due = max(month.debt, ZERO).quantize(_unit(currency), ROUND_FLOOR)
    return due if due >= minor_units.MINIMUMS.get(currency, ZERO) else ZERO


def _statement(month: ClosedMonth, currency: str) -> Draft:
    """Its lines are credits, exact, and add up to the closing balance."""
    moved = month.balance.moved
    bought = [(text, moved.get(kind, ZERO)) for text, kind in GAINS.items()]
    others = [(name, sum((moved.get(kind, ZERO) for kind in kinds), ZERO)) for name, kinds in GROUPS.items()]
    lines = [
        _line("Opening balance", month.balance.opening),
        *_lines(bought),
        *_usage_lines(month, sign=-1),
        *_lines(others),
    ]
    return _draft(month, Invoice.Kind.STATEMENT, currency, lines)


def _invoice(month: ClosedMonth, currency: str, due: Decimal) -> Draft:
    moved = month.balance.moved
    carried = -month.balance.opening - month.owed_before
    others = -sum((amount for kind, amount in moved.items() if kind not in (Kind.CAPTURE, Kind.SUBSCRIPTION)), ZERO)
    exact = [
        *_usage_lines(month, sign=1),
        *_lines([(name, -moved.get(kind, ZERO)) for name, (kind, *_) in list(GROUPS.items())[:2]]),
        *_lines([("Carried over from before" if carried > 0 else "Credits from before", carried)]),
        *_lines([("Credits and corrections", others - (month.owed - month.owed_before))]),
    ]
    lines = rounded(exact, due, _unit(currency))
    return replace(_draft(month, Invoice.Kind.INVOICE, currency, lines), annex=exact)


def rounded(lines: Sequence[Line], total: Decimal, unit: Decimal) -> list[Line]:
    """The lines in whole units that add up to `total`, which is their exact sum, rounded down.

    All are rounded down, and the units that are missing then go to those that lost most.
    """
    floors = [line.amount.quantize(unit, ROUND_FLOOR) for line in lines]
    missing = int((total - sum(floors, ZERO)) / unit)
    losses = sorted(range(len(lines)), key=lambda n: floors[n] - lines[n].amount)
    for n in losses[:missing]:
        floors[n] += unit
    return [replace(line, amount=amount) for line, amount in zip(lines, floors, strict=True)]


def _unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-minor_units.decimals(currency))


def _draft(month: ClosedMonth, kind: str, currency: str, lines: Sequence[Line]) -> Draft:
    return Draft(month.payer, kind, currency, month.start, month.close.ends_at, lines, account=month.account)


def _usage_lines(month: ClosedMonth, *, sign: int) -> Iterator[Line]:
    for row in month.usage:
        owner = "" if row.organization_id == month.payer.pk else f", {row.organization.name}"
        late = f", late of {row.occurred_in:%B %Y}" if row.late else ""
        for step in month.steps[row.pk]:
            is_sayable = step.quantity < MOST_UNITS
            yield Line(
                f"{row.meter.name}{owner}{late}",
                row.meter.slug,
                row.organization_id,
                step.quantity if is_sayable else None,
                step.unit_amount if is_sayable else None,
                sign * step.credits,
            )


def _line(description: str, amount: Decimal) -> Line:
    return Line(description, "", None, None, None, amount)


def _lines(amounts: Iterable[tuple[str, Decimal]]) -> list[Line]:
    """Without those that are zero."""
    return [_line(description, amount) for description, amount in amounts if amount]
