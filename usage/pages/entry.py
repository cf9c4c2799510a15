"""The page of one ledger entry, and the explanation of a balance."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from accounts.lib.money import ZERO
from accounts.pages.organizations import OrganizationMixin
from billing import clock
from billing.ledger import posting
from billing.models import Hold, LedgerEntry, Payment
from billing.pages.ledger import LedgerForm
from billing.templatetags.money import places
from usage.models import UsageEvent
from usage.reporting import periods, statement

EVENTS_SHOWN = 50
# Nearly all events are reported within an hour, and older ones would have to be looked for in all of the payer's usage.
REPORTED_WITHIN = timedelta(hours=1)
HEX = re.compile(r"[0-9a-f]{32}")
KINDS = dict(LedgerEntry.Kind.choices)


class EntryView(OrganizationMixin):
    """An entry's effect on the balance, what caused it, and what reversed it."""

    scopes = {"get": "credits:read"}
    section = "ledger"

    def get(self, request: HttpRequest, organization: str, seq: int) -> HttpResponse:
        entries = LedgerEntry.objects.of(self.organization)
        entry = entries.filter(seq=seq).first()
        if entry is None:
            raise Http404
        events = self._events(entry) if entry.kind == LedgerEntry.Kind.USAGE else []
        context = self.get_context_data(
            entry=entry,
            before=entry.balance_after - entry.amount,
            reversal=entries.filter(reverses_seq=seq).first(),
            payment=Payment.objects.of(self.organization).filter(pk__in=_ids_in(entry.reference, "pay_")).first(),
            hold=Hold.objects.filter(account_id=self.organization.pk, pk__in=_ids_in(entry.reference, "hold_")).first(),
            events=events[:EVENTS_SHOWN],
            events_cost=sum((event.credits for event in events), ZERO),
            charged=-entry.amount,
            has_more=len(events) > EVENTS_SHOWN,
        )
        return render(request, "usage/entry.html", context)

    def _events(self, entry: LedgerEntry) -> list[UsageEvent]:
        start = entry.created_at - REPORTED_WITHIN
        own = UsageEvent.objects.within(self.organization).filter(entry_seq=entry.seq)
        shown = own.filter(occurred_at__gte=start, occurred_at__lte=entry.created_at, recorded_at__gte=start)
        return list(shown.select_related("meter", "key").order_by("occurred_at")[: EVENTS_SHOWN + 1])


def _ids_in(reference: str, prefix: str) -> list[UUID]:
    """The id in a reference such as `pay_01a2…`; none if it refers to something else."""
    digits = reference.removeprefix(prefix)
    return [UUID(hex=digits)] if reference.startswith(prefix) and HEX.fullmatch(digits) else []


@dataclass(frozen=True)
class Movements:
    """All entries of a kind between the two balances, and the address of their list."""

    kind: str
    count: int
    amount: Decimal
    query: str


class ExplainView(OrganizationMixin):
    """How one balance became another: every kind of movement in between, each with its entries."""

    scopes = {"get": "credits:read"}
    section = "ledger"

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        if not self.organization.is_root:
            return render(request, "billing/billed_by_root.html", self.get_context_data(title=gettext("Ledger")))
        now = clock.now(self.organization)
        posting.current(self.organization.pk, now)
        form = LedgerForm(request.GET, zone=self.person.timezone)
        form.is_valid()
        start, end = form.span(periods.start_of("monthly", now, self.person.timezone), now)
        opening, closing = (statement.balance_before(self.organization, moment) for moment in (start, end))
        steps = self._steps(start, end, form)
        context = self.get_context_data(
            form=form,
            start=start,
            end=end,
            opening=opening,
            closing=closing,
            steps=steps,
            before=urlencode({"to": (start.astimezone(form.zone) - timedelta(days=1)).date().isoformat()}),
            until=urlencode({"to": form.data["to"]} if form.data.get("to") else {}),
            places=places([opening, closing, *(step.amount for step in steps)]),
        )
        return render(request, "usage/explain.html", context)

    def _steps(self, start: datetime, end: datetime, form: LedgerForm) -> list[Movements]:
        between = LedgerEntry.objects.of(self.organization).filter(created_at__gte=start, created_at__lt=end)
        sums = between.values_list("kind").annotate(n=Count("id"), total=Sum("amount")).order_by()
        rows: dict[str, tuple[int, Decimal]] = {kind: (n, total) for kind, n, total in sums}
        days = {name: value for name, value in form.data.items() if name in ("from", "to") and value}
        days = days or {"from": start.astimezone(form.zone).date().isoformat()}
        return [
            Movements(KINDS[kind], *rows[kind], urlencode({**days, "kind": kind})) for kind in KINDS if kind in rows
        ]
