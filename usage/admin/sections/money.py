"""What a customer has and owes: change requests, lots, holds, entries, payments, cards, papers, plans."""

from django.db.models import F

from billing.models import ChangeRequest, Grant, Hold, Invoice, LedgerEntry, Payment, PaymentMethod, Subscription
from billing.templatetags.money import money, signed
from usage.admin.sections.table import SHOWN, Cell, Customer, Section, moment, number


def requests(customer: Customer) -> Section:
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


def lots(customer: Customer) -> Section:
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


def holds(customer: Customer) -> Section:
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


def entries(customer: Customer) -> Section:
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


def payments(customer: Customer) -> Section:
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


def cards(customer: Customer) -> Section:
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


def papers(customer: Customer) -> Section:
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


def plans(customer: Customer) -> Section:
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
