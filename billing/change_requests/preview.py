"""The preview of a request: we run it in a transaction that is rolled back."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core import signing
from django.db import transaction

from accounts.lib import countries, exact_json
from accounts.lib.identifiers import uuid7
from accounts.models import Event, Organization
from billing import balance
from billing.change_requests.action import Action, Amount, Figures, Params
from billing.models import LedgerAccount, LedgerEntry
from billing.templatetags.money import aligned, money, places, signed

SALT = "change request"
# Usage goes on while an operator reads. It moves these figures, and doesn't make the preview stale.
MOVING = ("Balance", "Reserved", "Available")
USAGE = (LedgerEntry.Kind.USAGE, LedgerEntry.Kind.CAPTURE)


@dataclass(frozen=True)
class Preview:
    """`before` and `after` are figures as a person reads them, by their names.

    `entries` and `events` are what the customer will read. `seen` names the state that the preview was made of.
    """

    before: dict[str, str]
    after: dict[str, str]
    entries: list[str]
    events: list[str]
    outcome: str
    seen: dict[str, Any]

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        return [(name, self.before.get(name, ""), value) for name, value in self.after.items()]

    @property
    def token(self) -> str:
        return signing.dumps(self.seen, salt=SALT)


def rehearse(action: Action, row: Any, params: Params, *, reason: str, actor: str, now: datetime) -> Preview:
    """Run it, look at the result, and roll it back. Raises what the verb raises."""
    organization = action.organization(row)
    payer = organization.root if organization else None
    with transaction.atomic():
        action.lock(row, now)
        before, seq = _figures(action, row, payer, now), _seq(payer)
        mark = uuid7()
        outcome = action.run(row, params, reason=reason, actor=actor, now=now)
        after = _figures(action, row, payer, now)
        entries, events = _entries(payer, seq), _events(organization, mark)
        seen = {"seq": seq, "figures": _steady(before), "debt": _in_debt(payer)}
        seen["asked"] = _digest(action, params, reason)
        transaction.set_rollback(True)
    shown_before, shown_after = _written(before, after)
    return Preview(shown_before, shown_after, entries, events, outcome, seen)


def is_stale(token: str, preview: Preview, payer: Organization | None) -> bool:
    """Whether the state has changed since the person looked: by more than usage, or so that it leads into debt."""
    try:
        seen = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        return True
    if {**seen, "seq": 0} != {**preview.seen, "seq": 0}:
        return True
    later = LedgerEntry.objects.of(payer).filter(seq__gt=seen["seq"]) if payer else LedgerEntry.objects.none()
    return later.exclude(kind__in=USAGE).exists()


def _digest(action: Action, params: Params, reason: str) -> str:
    """What is asked for, so that a token of one request confirms no other."""
    return hashlib.sha256(exact_json.dumps([action.kind, params, reason]).encode()).hexdigest()


def _figures(action: Action, row: Any, payer: Organization | None, now: datetime) -> Figures:
    if payer is None:
        return action.figures(row, now)
    current = balance.of(payer, now)
    named = {
        "Balance": current.balance,
        "Reserved": current.reserved,
        "Credit limit": current.credit_limit,
        "Available": current.available,
    }
    return {name: Amount(number, current.currency) for name, number in named.items()} | action.figures(row, now)


def _written(*columns: Figures) -> list[dict[str, str]]:
    """With as many decimals everywhere as the longest amount has, so that the points line up."""
    amounts = [figure for figures in columns for figure in figures.values() if isinstance(figure, Amount)]
    least = [countries.decimals_of(amount.currency) for amount in amounts if amount.currency]
    decimals = max([places(amount.number for amount in amounts), *least])

    def write(figure: str | Amount) -> str:
        return aligned(money(*figure), decimals) if isinstance(figure, Amount) else figure

    return [{name: write(figure) for name, figure in figures.items()} for figures in columns]


def _steady(figures: Figures) -> dict[str, str]:
    return {name: str(figure) for name, figure in figures.items() if name not in MOVING}


def _account(payer: Organization | None) -> LedgerAccount | None:
    return LedgerAccount.objects.filter(pk=payer.pk).first() if payer else None


def _seq(payer: Organization | None) -> int:
    account = _account(payer)
    return account.seq if account else 0


def _in_debt(payer: Organization | None) -> bool:
    account = _account(payer)
    return account is not None and account.available < 0


def _entries(payer: Organization | None, seq: int) -> list[str]:
    if payer is None:
        return []
    entries = LedgerEntry.objects.of(payer).filter(seq__gt=seq).order_by("seq")
    return [f"{entry.get_kind_display()}, {signed(entry.amount)}: “{entry.description}”" for entry in entries]


def _events(organization: Organization | None, mark: Any) -> list[str]:
    """The events since the rehearsal began, with their reason if they have one."""
    if organization is None:
        return []
    events = Event.objects.within(organization.root).filter(pk__gte=mark).order_by("pk")
    return [f"{event.type}{f': “{reason}”' if (reason := event.data.get('reason')) else ''}" for event in events]
