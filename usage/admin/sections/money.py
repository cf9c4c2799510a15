"""What a customer has and owes: change requests, lots, holds, entries, payments, cards, papers, plans."""

from django.db.models import F
from django.utils.translation import gettext as _

from accounts.lib.languages import translated
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
    columns = [_("Change request"), _("State"), _("Reason"), _("By"), _("At"), _("Credits")]
    return Section(_("Change requests"), columns, cells, customer.list(ChangeRequest))


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
    columns = [_("Lot"), _("Category"), _("Priority"), _("Expires"), _("Amount"), _("Left")]
    return Section(_("Lots"), columns, rows, customer.list(Grant))


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
    columns = [_("Hold"), _("Purpose"), _("Organization"), _("Key"), _("Expires"), _("Amount"), _("Captured")]
    return Section(_("Holds"), columns, rows, customer.list(Hold))


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
    columns = [_("Entry"), _("Kind"), _("Description"), _("At"), _("Amount"), _("Balance"), _("Actions")]
    return Section(_("Ledger"), columns, rows, customer.list(LedgerEntry))


def _of_entry(customer: Customer, row: LedgerEntry) -> list[tuple[str, str]]:
    """Usage is corrected by voiding its events."""
    if row.kind in (LedgerEntry.Kind.USAGE, LedgerEntry.Kind.REVERSAL):
        return []
    return customer.action("reverse", f"{customer.root.public_id}.{row.seq}", _("Reverse"))


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
                actions=customer.action("refund", row.public_id, _("Refund")) if row.status == "succeeded" else [],
            ),
        ]
        for row in payments[:SHOWN]
    ]
    columns = [_("Payment"), _("Status"), _("Purpose"), _("Card"), _("At"), _("Total"), _("Actions")]
    return Section(_("Payments"), columns, rows, customer.list(Payment))


def cards(customer: Customer) -> Section:
    rows = [
        [
            Cell(str(row), customer.page(row)),
            Cell(f"{row.exp_month:02}/{row.exp_year}"),
            Cell(
                translated(PaymentMethod.Status(row.status_on(customer.now.date())).label),
                kind="bad" if row.declined_code else "",
            ),
            Cell(_("default") if row.is_default else _("backup") if row.is_backup else ""),
            moment(row.created_at),
        ]
        for row in PaymentMethod.objects.of(customer.root).order_by("-is_default", "-created_at")[:SHOWN]
    ]
    return Section(
        _("Cards"), [_("Card"), _("Expires"), _("Status"), _("Use"), _("Added")], rows, customer.list(PaymentMethod)
    )


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
    columns = [_("Paper"), _("Kind"), _("Status"), _("Issued"), _("Total"), _("Actions")]
    return Section(_("Papers"), columns, rows, customer.list(Invoice))


def _of_paper(customer: Customer, row: Invoice) -> list[tuple[str, str]]:
    if row.kind != Invoice.Kind.INVOICE:
        return []
    actions = customer.action("credit_note", row.public_id, _("Credit"))
    unpaid = row.state.status in ("open", "past_due")
    return actions + (customer.action("write_off", row.public_id, _("Give up")) if unpaid else [])


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
    columns = [_("Plan"), _("Status"), _("Interval"), _("Period ends"), _("Price")]
    return Section(_("Subscriptions"), columns, rows, customer.list(Subscription))
