"""What the page of a customer shows: one table a subject, each only to those who may see its rows."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import F, Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from accounts.models import Event, Invitation, Membership, Organization, Visit, WebhookEndpoint
from apikeys.models import ApiKey
from billing.admin.change_requests import address, may_ask
from billing.ledger import billing_zone
from billing.models import (
    ChangeRequest,
    Grant,
    Hold,
    Invoice,
    LedgerEntry,
    Payment,
    PaymentMethod,
    Spending,
    Subscription,
)
from billing.templatetags.money import amount, money, signed

SHOWN = 10
TREE_SHOWN = 100


@dataclass(frozen=True)
class Cell:
    text: Any
    url: str = ""
    kind: str = ""  # `number`, `id`, `bad`
    actions: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """A table. `url` leads to the whole list. The names of columns of numbers are in `numbers`."""

    title: str
    columns: list[str]
    rows: list[list[Cell]]
    url: str = ""
    numbers: frozenset[str] = frozenset()

    @property
    def headings(self) -> list[tuple[str, bool]]:
        return [(name, name in self.numbers) for name in self.columns]


@dataclass(frozen=True)
class Customer:
    """A root organization, for whom, and as of when."""

    root: Organization
    request: HttpRequest
    now: datetime

    def may(self, permission: str) -> bool:
        return self.request.user.has_perm(permission)

    def action(self, kind: str, subject: str, label: str) -> list[tuple[str, str]]:
        """A link to the form of the change request, if the operator may use it."""
        return [(label, address(kind, subject))] if may_ask(self.request, kind) else []

    def page(self, row: Model) -> str:
        """The admin's own page of a row."""
        return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])

    def list(self, model: type[Model]) -> str:
        """The admin's list, searched for the customer."""
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        return f"{reverse(name)}?{urlencode({'q': self.root.public_id})}"


def of(customer: Customer) -> Iterator[Section]:
    for permission, make in SECTIONS:
        if customer.may(permission):
            yield make(customer)


def number(value: Any) -> Cell:
    return Cell("–" if value is None else amount(value), kind="number")


def moment(value: datetime | None) -> Cell:
    return Cell(f"{value:%Y-%m-%d %H:%M}" if value else "–")


def _requests(customer: Customer) -> Section:
    rows = ChangeRequest.objects.of(customer.root).select_related("requested_by").order_by("-id")[:SHOWN]
    cells = [
        [
            Cell(row.get_kind_display(), customer.page(row)),
            Cell(row.get_state_display(), kind="bad" if row.state == "waiting" else ""),
            Cell(row.reason),
            Cell(row.requested_by.email),
            moment(row.requested_at),
            number(row.amount),
        ]
        for row in rows
    ]
    columns = ["Request", "State", "Reason", "By", "At", "Credits"]
    return Section("Requests", columns, cells, customer.list(ChangeRequest), frozenset({"Credits"}))


def _people(customer: Customer) -> Section:
    beneath = Organization.objects.within(customer.root)
    members = Membership.objects.filter(organization__in=beneath).select_related("user", "organization")
    rows = [
        [
            Cell(row.user.email, customer.page(row.user)),
            Cell(row.user.name),
            Cell(row.get_role_display()),
            Cell(row.organization.name),
            Cell("active" if row.user.is_active else "inactive", kind="" if row.user.is_active else "bad"),
            moment(row.user.last_login),
        ]
        for row in members.order_by("created_at")[:TREE_SHOWN]
    ]
    invited = Invitation.objects.filter(organization__in=beneath).pending(customer.now).select_related("organization")
    rows += [
        [
            Cell(row.email, customer.page(row)),
            Cell(""),
            Cell(row.get_role_display()),
            Cell(row.organization.name),
            Cell("invited"),
            Cell("–"),
        ]
        for row in invited[:SHOWN]
    ]
    return Section("People", ["Email", "Name", "Role", "Organization", "Status", "Last sign-in"], rows)


def _tree(customer: Customer) -> Section:
    nodes = {
        row.pk: row for row in Organization.objects.within(customer.root).order_by("created_at", "pk")[:TREE_SHOWN]
    }
    month = billing_zone.of(customer.root).month_of(customer.now)
    spending = Spending.objects.filter(account_id=customer.root.pk, subject__in=nodes, month=month)
    spent = dict(spending.values_list("subject", "spent"))
    ordered = sorted(nodes.values(), key=lambda row: [(nodes[pk].name, pk) for pk in row.path if pk in nodes])
    rows = [
        [
            Cell("\u2003" * (len(row.path) - 1) + row.name, customer.page(row)),
            Cell(row.public_id, kind="id"),
            Cell(row.get_status_display(), kind="" if row.status == "active" else "bad"),
            number(spent.get(row.pk, 0)),
            number(row.monthly_budget),
            Cell("", actions=_of_node(customer, row)),
        ]
        for row in ordered
    ]
    columns = ["Organization", "Id", "Status", "Spent this month", "Budget", "Actions"]
    return Section("Tree", columns, rows, numbers=frozenset({"Spent this month", "Budget"}))


def _of_node(customer: Customer, row: Organization) -> list[tuple[str, str]]:
    if row.status == Organization.Status.ACTIVE:
        return customer.action("suspend", row.public_id, "Suspend")
    return customer.action("resume", row.public_id, "Resume") if row.status == Organization.Status.SUSPENDED else []


def _lots(customer: Customer) -> Section:
    lots = Grant.objects.of(customer.root).filter(remaining__gt=0)
    ordered = lots.order_by("priority", F("expires_at").asc(nulls_last=True), "created_at")
    rows = [
        [
            Cell(row.public_id, customer.page(row), "id"),
            Cell(row.get_category_display()),
            number(row.priority),
            moment(row.expires_at),
            number(row.amount),
            number(row.remaining),
        ]
        for row in ordered[: 2 * SHOWN]
    ]
    columns = ["Lot", "Category", "Priority", "Expires", "Amount", "Left"]
    return Section("Lots", columns, rows, customer.list(Grant), frozenset({"Priority", "Amount", "Left"}))


def _holds(customer: Customer) -> Section:
    holds = Hold.objects.of(customer.root).with_status("open", customer.now).select_related("organization", "key")
    rows = [
        [
            Cell(row.public_id, customer.page(row), "id"),
            Cell(row.get_purpose_display()),
            Cell(row.organization.name),
            Cell(row.key.name if row.key else "–"),
            moment(row.expires_at),
            number(row.amount),
            number(row.captured),
        ]
        for row in holds.order_by("expires_at", "pk")[: 2 * SHOWN]
    ]
    columns = ["Hold", "Purpose", "Organization", "Key", "Expires", "Amount", "Captured"]
    return Section("Holds", columns, rows, customer.list(Hold), frozenset({"Amount", "Captured"}))


def _entries(customer: Customer) -> Section:
    rows = [
        [
            number(row.seq),
            Cell(row.get_kind_display(), customer.page(row)),
            Cell(row.description),
            moment(row.created_at),
            Cell(signed(row.amount), kind="number"),
            number(row.balance_after),
            Cell("", actions=_of_entry(customer, row)),
        ]
        for row in LedgerEntry.objects.of(customer.root).order_by("-seq")[:SHOWN]
    ]
    columns = ["Entry", "Kind", "Description", "At", "Amount", "Balance", "Actions"]
    return Section("Ledger", columns, rows, customer.list(LedgerEntry), frozenset({"Entry", "Amount", "Balance"}))


def _of_entry(customer: Customer, row: LedgerEntry) -> list[tuple[str, str]]:
    """Usage is corrected by voiding its events."""
    if row.kind in (LedgerEntry.Kind.USAGE, LedgerEntry.Kind.REVERSAL):
        return []
    return customer.action("reverse", f"{customer.root.public_id}.{row.seq}", "Reverse")


def _payments(customer: Customer) -> Section:
    payments = Payment.objects.of(customer.root).select_related("method").order_by("-created_at", "-pk")
    rows = [
        [
            Cell(row.public_id, customer.page(row), "id"),
            Cell(row.get_status_display(), kind="bad" if row.status == "failed" else ""),
            Cell(row.get_purpose_display()),
            Cell(str(row.method or "–")),
            moment(row.created_at),
            Cell(money(row.total, row.currency), kind="number"),
            Cell(
                "",
                actions=customer.action("refund", row.public_id, "Refund") if row.status == "succeeded" else [],
            ),
        ]
        for row in payments[:SHOWN]
    ]
    columns = ["Payment", "Status", "Purpose", "Card", "At", "Total", "Actions"]
    return Section("Payments", columns, rows, customer.list(Payment), frozenset({"Total"}))


def _cards(customer: Customer) -> Section:
    rows = [
        [
            Cell(str(row), customer.page(row)),
            Cell(f"{row.exp_month:02}/{row.exp_year}"),
            Cell(row.status_on(customer.now.date()), kind="bad" if row.declined_code else ""),
            Cell("default" if row.is_default else "backup" if row.is_backup else ""),
            moment(row.created_at),
        ]
        for row in PaymentMethod.objects.of(customer.root).order_by("-is_default", "-created_at")[:SHOWN]
    ]
    return Section("Cards", ["Card", "Expires", "Status", "Use", "Added"], rows, customer.list(PaymentMethod))


def _papers(customer: Customer) -> Section:
    papers = Invoice.objects.of(customer.root).select_related("state").order_by("-issued_at")
    rows = [
        [
            Cell(str(row), customer.page(row)),
            Cell(row.get_kind_display()),
            Cell(row.state.get_status_display(), kind="bad" if row.state.status == "past_due" else ""),
            moment(row.issued_at),
            Cell(money(row.total, row.currency), kind="number"),
            Cell("", actions=_of_paper(customer, row)),
        ]
        for row in papers[:SHOWN]
    ]
    columns = ["Paper", "Kind", "Status", "Issued", "Total", "Actions"]
    return Section("Papers", columns, rows, customer.list(Invoice), frozenset({"Total"}))


def _of_paper(customer: Customer, row: Invoice) -> list[tuple[str, str]]:
    if row.kind != Invoice.Kind.INVOICE:
        return []
    actions = customer.action("credit_note", row.public_id, "Credit")
    unpaid = row.state.status in ("open", "past_due")
    return actions + (customer.action("write_off", row.public_id, "Give up") if unpaid else [])


def _plans(customer: Customer) -> Section:
    subscriptions = Subscription.objects.of(customer.root).select_related("plan").order_by("-created_at")
    rows = [
        [
            Cell(str(row.plan), customer.page(row)),
            Cell(row.get_status_display(), kind="bad" if row.status == "past_due" else ""),
            Cell(row.get_interval_display()),
            moment(row.current_period_end),
            number(row.price),
        ]
        for row in subscriptions[:SHOWN]
    ]
    columns = ["Plan", "Status", "Interval", "Period ends", "Price"]
    return Section("Subscriptions", columns, rows, customer.list(Subscription), frozenset({"Price"}))


def _keys(customer: Customer) -> Section:
    keys = ApiKey.objects.within(customer.root).select_related("organization").prefetch_related("secrets")
    rows = [
        [
            Cell(row.name, customer.page(row)),
            Cell(row.public_id, kind="id"),
            Cell(", ".join(secret.hint for secret in row.secrets.all()), kind="id"),
            Cell(row.organization.name if row.organization else ""),
            Cell(row.status(customer.now)),
            moment(row.last_used_at),
        ]
        for row in keys.order_by("revoked_at", "-created_at")[: 2 * SHOWN]
    ]
    columns = ["Key", "Id", "Secret", "Organization", "Status", "Last used"]
    return Section("API keys", columns, rows, customer.list(ApiKey))


def _webhooks(customer: Customer) -> Section:
    endpoints = WebhookEndpoint.objects.filter(organization__in=Organization.objects.within(customer.root))
    rows = [
        [
            Cell(row.url, customer.page(row)),
            Cell(row.get_status_display(), kind="" if row.status == "enabled" else "bad"),
            number(row.failures),
            moment(row.next_attempt_at),
        ]
        for row in endpoints.exclude(status="deleted").order_by("-id")[:SHOWN]
    ]
    columns = ["Endpoint", "Status", "Failures", "Next attempt"]
    return Section("Webhooks", columns, rows, customer.list(WebhookEndpoint), frozenset({"Failures"}))


def _events(customer: Customer) -> Section:
    events: Iterable[Event] = Event.objects.within(customer.root).select_related("organization").order_by("-id")
    rows = [
        [
            Cell(row.type, customer.page(row)),
            Cell(row.organization.name),
            Cell(" ".join(str(part) for part in (row.actor or {}).values() if part)),
            moment(row.created_at),
        ]
        for row in events[: 2 * SHOWN]  # type: ignore[index]
    ]
    return Section("Events", ["Event", "Organization", "By", "At"], rows, customer.list(Event))


def _visits(customer: Customer) -> Section:
    visits = Visit.objects.of(customer.root).select_related("operator").order_by("-id")
    rows = [
        [
            Cell(row.operator.email),
            Cell(row.reason),
            moment(row.started_at),
            moment(row.ended_at or row.expires_at),
        ]
        for row in visits[:SHOWN]
    ]
    return Section("Visits", ["Operator", "Reason", "From", "Until"], rows)


SECTIONS: tuple[tuple[str, Callable[[Customer], Section]], ...] = (
    ("billing.view_changerequest", _requests),
    ("accounts.view_user", _people),
    ("accounts.view_organization", _tree),
    ("billing.view_grant", _lots),
    ("billing.view_hold", _holds),
    ("billing.view_ledgerentry", _entries),
    ("billing.view_payment", _payments),
    ("billing.view_paymentmethod", _cards),
    ("billing.view_invoice", _papers),
    ("billing.view_subscription", _plans),
    ("apikeys.view_apikey", _keys),
    ("accounts.view_webhookendpoint", _webhooks),
    ("accounts.view_event", _events),
    ("accounts.view_visit", _visits),
)
