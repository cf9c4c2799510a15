"""The paper of a month: a statement of what moved the balance, or the invoice of a postpaid payer."""

from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from functools import partial
from itertools import accumulate
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Organization
from billing.invoicing import papers, subscriptions
from billing.invoicing.papers import Line
from billing.invoicing.tax import Tax
from billing.ledger import corrections, holds, posting
from billing.ledger.lots import Lot
from billing.models import BillingAccount, Invoice, LedgerEntry, Meter, Payment, Plan, PlanAllowance, Price
from tests import factories
from tests.concurrency import race
from tests.properties import search
from tests.usage.metering.batches import event, record, this_month
from tests.usage.storage.months import A_MONTH, END, close
from usage.metering import pricing, voids
from usage.metering.pricing import Schedule, Tier
from usage.models import MonthClose
from usage.storage import closing, month_papers, price_steps, reconciliation

Kind = LedgerEntry.Kind
CENT = Decimal("0.01")


@pytest.fixture
def payer(organization: Organization) -> Organization:
    account = factories.billing_account(organization)
    BillingAccount.objects.filter(pk=account.pk).update(currency="USD")
    return organization


@pytest.fixture
def postpaid(payer: Organization) -> Organization:
    BillingAccount.objects.of(payer).update(billing_mode="postpaid")
    return payer


def post(payer: Organization, kind: Kind, amount: int | str, **details: Any) -> int:
    return posting.post(payer.pk, kind=kind, amount=Decimal(amount), **details, now=timezone.now()).seq


def use(payer: Organization, credits: str) -> None:
    """Usage that costs this much."""
    meter, made = Meter.objects.get_or_create(slug="credits", defaults={"name": "Credits of usage", "unit": "credit"})
    if made:
        Price.objects.create(meter=meter, unit_amount=1)
    record(event(payer, meter="credits", quantity=credits))


def has_paper(payer: Organization, n: int = 0) -> bool:
    """Close the month of the test, or the n-th after it."""
    close(payer, END + n * A_MONTH)
    return MonthClose.objects.filter(account=payer.pk).order_by("month")[n].paper is not None


def month(payer: Organization, n: int = 0) -> Invoice:
    """The paper of that month, once it is closed."""
    assert has_paper(payer, n)
    return Invoice.objects.of(payer).latest("issued_at")


def lines(paper: Invoice, *, annex: bool = False) -> list[tuple[str, Decimal]]:
    return list(paper.all_lines.filter(is_annex=annex).values_list("description", "amount"))


def test_a_statement_has_what_moved_the_balance(payer: Organization) -> None:
    child = Organization.objects.create_child(payer, name="Sub")
    soon = END - timedelta(seconds=1)
    for kind, amount, details in (
        (Kind.PURCHASE, 100, {}),
        (Kind.GRANT, 10, {"lot": Lot(expires_at=soon, priority=60)}),
        (Kind.SUBSCRIPTION, "-3", {}),
        (Kind.REFUND, "-5", {}),
        (Kind.CHARGEBACK, "-1", {}),
    ):
        post(payer, kind, amount, **details)
    holds.capture(holds.place(payer, amount=Decimal(2), ttl=timedelta(hours=1), now=timezone.now()), now=timezone.now())
    corrections.adjust(payer.pk, amount=Decimal("0.5"), reason="Sorry", actor="", now=timezone.now())
    record(event(payer, meter="sms", quantity=3), event(child, meter="sms"), event(child, id="x", meter="sms"))
    voids.void(child, "x", reason="r", actor="", now=timezone.now())
    paper = month(payer)
    assert (paper.kind, paper.number, paper.currency, paper.tax) == ("statement", "", "USD", 0)
    assert (paper.period_start, paper.period_end) == (this_month(1, 0), END)
    assert lines(paper) == [
        ("Opening balance", 0),
        ("Bought", 100),
        ("Granted", 10),
        ("SMS", -3 * CENT),
        ("SMS, Sub", -CENT),
        ("Captured holds", -2),
        ("Subscriptions", -3),
        ("Refunded", -6),
        ("Corrections", Decimal("0.5")),
    ]
    assert paper.total == Decimal("99.46")
    [_, _, _, sms, *_] = paper.all_lines.all()
    assert (sms.meter, sms.organization, sms.quantity, sms.unit_amount) == ("sms", payer, 3, CENT)
    following = month(payer, 1)
    assert lines(following) == [("Opening balance", Decimal("99.46")), ("Expired", -10)]
    assert reconciliation.run() == []


def test_less_than_a_card_can_be_charged_is_carried_to_the_next_invoice(postpaid: Organization) -> None:
    """The smallest charge is 0.50 USD."""
    use(postpaid, "0.495")
    assert month(postpaid).kind == "statement"
    post(postpaid, Kind.SUBSCRIPTION, "-0.01")
    invoice = month(postpaid, 1)
    assert (invoice.kind, invoice.subtotal) == ("invoice", Decimal("0.50"))
    assert lines(invoice, annex=True) == [("Subscriptions", CENT), ("Carried over from before", Decimal("0.495"))]
    assert reconciliation.run() == []


def test_a_line_is_a_quantity_at_one_price(payer: Organization) -> None:
    """The first five are included, up to 100 cost 0.02, then 0.01. Two events go over a border, and one is voided."""
    child, meter = Organization.objects.create_child(payer, name="Sub"), Meter.objects.get(slug="sms")
    plan = Plan.objects.create(slug="with", name="With")
    PlanAllowance.objects.create(plan=plan, meter=meter, included_quantity=5)
    subscriptions.subscribe(payer, "with", now=timezone.now())
    meter.price.tiers.create(up_to=100, unit_amount=2 * CENT)
    record(*(event(payer, id=f"e{n}", meter="sms", quantity=60) for n in range(3)))
    record(event(child, meter="sms", quantity="0.5"), event(payer, id="x", meter="sms"))
    voids.void(payer, "x", reason="r", actor="", now=timezone.now())
    [_, *steps] = month(payer).all_lines.select_related("organization")
    assert [(line.description, line.quantity, line.unit_amount, line.amount) for line in steps] == [
        ("SMS", 100, 2 * CENT, -2),
        ("SMS", 75, CENT, -75 * CENT),
        ("SMS", 5, 0, 0),
        ("SMS, Sub", Decimal("0.5"), CENT, -CENT / 2),
    ]
    assert reconciliation.run() == []


def test_a_price_that_was_changed_has_a_line_of_its_own(payer: Organization) -> None:
    price = Meter.objects.get(slug="sms").price
    for amount in (3 * CENT, CENT):
        Price.objects.filter(pk=price.pk).update(unit_amount=amount)
        record(*(event(payer, meter="sms", quantity=quantity) for quantity in (1, 7)))
    [_, *steps] = month(payer).all_lines.all()
    assert [(line.quantity, line.unit_amount) for line in steps] == [(8, 3 * CENT), (8, CENT)]


@pytest.mark.usefixtures("committed")
def test_many_events_are_read_with_no_payer_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """So one more comes meanwhile, without waiting, and is on the paper as well."""
    payer = factories.organization(owner=factories.user("owner"))
    BillingAccount.objects.filter(pk=factories.billing_account(payer).pk).update(currency="USD")
    meter = Meter.objects.create(slug=factories.unique("meter"), name="Messages", unit="message")
    Price.objects.create(meter=meter, unit_amount=CENT).tiers.create(up_to=10, unit_amount=2 * CENT)
    record(event(payer, meter=meter.slug, quantity=20))
    monkeypatch.setattr(price_steps, "MOST_LOCKED", 0)
    read = price_steps.Charges.read
    readings: list[list[Decimal]] = []

    def meanwhile(charges: price_steps.Charges, many: price_steps.ManyEvents) -> None:
        read(charges, many)
        if not readings:
            race([partial(record, event(payer, meter=meter.slug, quantity=5))])
        readings.append([row.quantity for row in many.rows])

    monkeypatch.setattr(price_steps.Charges, "read", meanwhile)
    [_, *steps] = month(payer).all_lines.all()
    assert readings == [[20], [25]]
    assert [(line.quantity, line.unit_amount) for line in steps] == [(10, 2 * CENT), (15, CENT)]


amount = st.decimals(min_value=0, max_value=1000, places=3)


@search(60)
@given(
    widths=st.lists(st.decimals(min_value="0.001", max_value=100, places=3), max_size=3),
    prices=st.lists(amount, min_size=4, max_size=4, unique=True),
    included=amount,
    before=amount,
    quantity=st.decimals(min_value="0.001", max_value=1000, places=3),
)
def test_a_charge_over_borders_is_split_into_what_was_charged(
    widths: list[Decimal], prices: list[Decimal], included: Decimal, before: Decimal, quantity: Decimal
) -> None:
    ends = list(accumulate(widths))
    tiers = tuple(Tier(end, price) for end, price in zip(ends, prices, strict=False))
    schedule = Schedule(prices[-1], tiers, included)
    credits = pricing.charge(schedule, before, quantity)
    parts = pricing.split(schedule, quantity, credits)
    assert sum(part.quantity for part in parts) in (0, quantity)
    assert sum(part.credits for part in parts) in (0, credits)
    assert all(abs(part.credits - part.quantity * part.unit_amount) <= Decimal("1e-9") for part in parts)


def test_late_usage_is_said_to_be_late(payer: Organization) -> None:
    post(payer, Kind.PURCHASE, 1)
    month(payer)
    record(event(payer, meter="sms", occurred_at="2015-05-01T00:00:00Z"))
    assert lines(month(payer, 1))[1:] == [("SMS, late of May 2015", -CENT)]


def test_a_month_in_which_nothing_moved_has_no_paper(payer: Organization) -> None:
    post(payer, Kind.PURCHASE, 1)
    assert has_paper(payer)
    assert not has_paper(payer, 1)


def test_without_a_billing_account_there_is_nobody_to_whom_it_could_go(funded: Organization) -> None:
    assert not has_paper(funded)


def test_a_postpaid_payer_owes_whole_cents_and_the_rest_is_carried_over(postpaid: Organization) -> None:
    child = Organization.objects.create_child(postpaid, name="Sub")
    use(postpaid, "1.006")
    use(child, "1.007")
    post(postpaid, Kind.SUBSCRIPTION, "-0.0025")
    first = month(postpaid)
    assert (first.kind, first.subtotal, first.state.status) == ("invoice", Decimal("2.01"), "open")
    assert lines(first) == [("Credits of usage", 1), ("Credits of usage, Sub", Decimal("1.01")), ("Subscriptions", 0)]
    assert [amount for _, amount in lines(first, annex=True)] == [Decimal(x) for x in ("1.006", "1.007", "0.0025")]
    use(postpaid, "0.505")
    second = month(postpaid, 1)
    late = f"Credits of usage, late of {this_month(1):%B %Y}"
    assert lines(second, annex=True) == [(late, Decimal("0.505")), ("Carried over from before", Decimal("0.0055"))]
    assert lines(second) == [(late, Decimal("0.50")), ("Carried over from before", CENT)]
    assert second.subtotal == Decimal("0.51")
    assert reconciliation.run() == []


def pay(invoice: Invoice) -> None:
    """As its payment does: one purchase that names it."""
    payment = Payment.objects.create(
        organization=invoice.organization,
        purpose=Payment.Purpose.INVOICE,
        invoice=invoice,
        amount=invoice.subtotal,
        currency="USD",
        status="succeeded",
    )
    key = f"payment:{payment.pk.hex}"
    posting.post(
        payment.organization_id, kind=Kind.PURCHASE, amount=payment.amount, idempotency_key=key, now=timezone.now()
    )


@pytest.mark.parametrize("paid", [True, False])
def test_what_an_invoice_asks_for_is_not_asked_for_again(postpaid: Organization, paid: bool) -> None:
    use(postpaid, "10")
    first = month(postpaid)
    assert first.subtotal == 10
    if paid:
        pay(first)
    use(postpaid, "3")
    second = month(postpaid, 1)
    assert second.subtotal == 3
    assert reconciliation.run() == []


def test_a_credit_note_with_its_adjustment_leaves_the_next_invoice_as_it_is(postpaid: Organization) -> None:
    use(postpaid, "10")
    first = month(postpaid)
    corrections.adjust(postpaid.pk, amount=Decimal(4), reason="Sorry", actor="", now=timezone.now())
    papers.credit(first, Decimal(4), "Sorry", now=END)
    use(postpaid, "3")
    second = month(postpaid, 1)
    assert second.subtotal == 3


def test_credits_are_used_first(postpaid: Organization) -> None:
    post(postpaid, Kind.GRANT, 5)
    use(postpaid, "2")
    statement = month(postpaid)
    assert (statement.kind, statement.total) == ("statement", 3)
    use(postpaid, "4.5")
    invoice = month(postpaid, 1)
    assert [amount for _, amount in lines(invoice)] == [Decimal("4.5"), -3]
    assert lines(invoice)[1][0] == "Credits from before"


def test_twelve_months_of_less_than_the_smallest_charge_come_to_their_sum(postpaid: Organization) -> None:
    for n in range(12):
        use(postpaid, "0.204")
        month(postpaid, n)
    invoices = Invoice.objects.of(postpaid).filter(kind="invoice")
    assert [invoice.subtotal for invoice in invoices] == [Decimal("0.61")] * 4
    assert reconciliation.run() == []


def test_an_invoice_that_can_not_be_issued_leaves_the_month_open(
    postpaid: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    use(postpaid, "1")
    monkeypatch.setattr(papers, "issue_all", fail)
    with pytest.raises(RuntimeError):
        close(postpaid)
    assert MonthClose.objects.get(account=postpaid.pk).status == "started"
    monkeypatch.undo()
    assert closing.close_ended([postpaid.pk], END)[0].paper is not None


asked_at: list[tuple[Decimal, int]] = []


def service(account: BillingAccount, net: Decimal, currency: str, now: datetime) -> list[Tax]:
    """Notes the sum, and how many transactions are open besides the test's. Meanwhile more is used."""
    asked_at.append((net, len(connection.savepoint_ids)))
    if len(asked_at) == 1:
        use(account.organization, "5")
    return [Tax("GST", "S", Decimal(10), net, net / 10)]


def test_a_service_that_assesses_taxes_is_asked_with_no_transaction_open(postpaid: Organization, settings: Any) -> None:
    settings.TAX_PROVIDER = f"{__name__}.service"
    asked_at.clear()
    use(postpaid, "10")
    outside = len(connection.savepoint_ids)
    invoice = month(postpaid)
    assert asked_at == [(Decimal(10), outside), (Decimal(15), outside)]
    assert (invoice.subtotal, invoice.tax) == (15, Decimal("1.50"))
    assert reconciliation.run() == []


amounts = st.lists(st.decimals(min_value=-1000, max_value=1000, places=9), min_size=1, max_size=20)


@search(40)
@given(amounts=amounts, unit=st.sampled_from([CENT, Decimal(1)]))
def test_rounded_lines_add_up_to_the_total_and_each_is_less_than_a_unit_off(
    amounts: list[Decimal], unit: Decimal
) -> None:
    exact = [Line("", "", None, None, None, amount) for amount in amounts]
    total = sum(amounts, Decimal(0)).quantize(unit, ROUND_FLOOR)
    rounded = month_papers.rounded(exact, total, unit)
    assert sum(line.amount for line in rounded) == total
    assert all(abs(after.amount - before.amount) < unit for after, before in zip(rounded, exact, strict=True))
    assert all(line.amount % unit == 0 for line in rounded)
