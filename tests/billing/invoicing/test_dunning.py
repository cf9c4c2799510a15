"""Collecting an open invoice: the schedule, the cards, the suspension, and what lifts it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine

from accounts import tree
from accounts.lib.problems import Problem
from accounts.models import Email, Event, Organization
from billing.invoicing import crediting, dunning, paying, unpaid
from billing.models import Invoice, InvoiceState, LedgerEntry, Payment, PaymentMethod, TaxRate
from billing.payments import payments
from tests import factories
from tests.billing.invoicing.drafts import DECEMBER, credit, issue
from tests.billing.payments.gateway import FaultySandbox
from tests.concurrency import race

DAY = timedelta(days=1)
LATER = DECEMBER + 15 * DAY


@pytest.fixture
def payer(organization: Organization, bank: FaultySandbox) -> Organization:
    Organization.objects.filter(pk=organization.pk).update(timezone="Europe/Berlin")
    TaxRate.objects.create(country="DE", valid_from=date(2020, 1, 1), percent=Decimal(19))
    factories.billing_account(organization, country="DE")
    return organization


def state(invoice: Invoice) -> InvoiceState:
    return InvoiceState.objects.get(pk=invoice.pk)


def charges(payer: Organization) -> list[str]:
    return [payment.status for payment in Payment.objects.of(payer).order_by("created_at")]


def sweep(now: datetime) -> None:
    """Each step, and the payments that it begins."""
    dunning.sweep(now)
    payments.sweep(now + timedelta(minutes=2))


def test_the_default_card_pays_it_when_it_is_due(payer: Organization, bank: FaultySandbox) -> None:
    factories.card(payer)
    invoice = issue(payer, 100)
    sweep(DECEMBER - DAY)
    assert charges(payer) == []
    sweep(DECEMBER)
    assert [*charges(payer), *bank.charged, state(invoice).status] == ["succeeded", 11900, "paid"]
    entry = LedgerEntry.objects.of(payer).get()
    assert (entry.kind, entry.amount, entry.description) == ("purchase", 100, f"Payment of {invoice.number}")
    assert Invoice.objects.of(payer).count() == 1
    assert Event.objects.of(payer).filter(type="invoice.paid").exists()


def test_the_backup_pays_it_in_the_same_round(payer: Organization) -> None:
    factories.card(payer, "pm_card_chargeDeclined")
    backup = factories.card(payer, "pm_card_mastercard")
    PaymentMethod.objects.filter(pk=backup.pk).update(is_backup=True)
    invoice = issue(payer, 100)
    sweep(DECEMBER)
    assert (charges(payer), state(invoice).status) == (["failed", "succeeded"], "paid")


def test_the_whole_schedule_of_a_card_that_is_declined(payer: Organization) -> None:
    """At 10:00 in Berlin it is 9:00 UTC. Nothing is done twice, however often the sweep looks."""
    factories.card(payer, "pm_card_chargeDeclined")
    invoice = issue(payer, 100)
    steps = []
    while (now := state(invoice).next_attempt_at) is not None:
        sweep(now - timedelta(seconds=1))
        sweep(now)
        sweep(now)
        steps.append((now, state(invoice).status, len(charges(payer))))
    at = [
        DECEMBER,
        *(datetime(2026, 12, 1 + day, 9, tzinfo=UTC) for day in (1, 3, 5, 7, 14)),
        datetime(2027, 1, 30, 9, tzinfo=UTC),
    ]
    assert steps == [
        *((moment, "past_due", n) for n, moment in enumerate(at[:5], start=1)),
        (at[5], "past_due", 5),
        (at[6], "uncollectible", 5),
    ]
    concerned = Event.objects.of(payer).filter(type__regex="^(invoice|organization)[.]").order_by("pk")
    types = [event.type for event in concerned]
    assert types == ["invoice.issued", "invoice.past_due", "organization.suspended", "invoice.uncollectible"]
    assert Email.objects.count() == 2
    assert LedgerEntry.objects.of(payer).count() == 0


def test_without_a_card_it_is_past_due_and_waits_for_one(payer: Organization) -> None:
    invoice = issue(payer, 100)
    sweep(DECEMBER)
    assert (state(invoice).status, state(invoice).needs_card) == ("past_due", True)
    factories.card(payer)
    payments.sweep(datetime.now(UTC))
    assert (charges(payer), state(invoice).status) == (["succeeded"], "paid")


def test_a_card_that_is_declined_for_good_is_not_charged_again(payer: Organization) -> None:
    factories.card(payer, "pm_card_chargeDeclinedLostCard")
    invoice = issue(payer, 100)
    for day in range(10):
        sweep(DECEMBER + day * DAY + timedelta(hours=12))
    assert (charges(payer), state(invoice).status) == (["failed"], "past_due")


def test_a_backup_that_is_declined_for_good_leaves_the_default_to_be_charged_again(payer: Organization) -> None:
    factories.card(payer, "pm_card_chargeDeclined")
    backup = factories.card(payer, "pm_card_chargeDeclinedLostCard")
    PaymentMethod.objects.filter(pk=backup.pk).update(is_backup=True)
    invoice = issue(payer, 100)
    sweep(DECEMBER)
    assert (charges(payer), state(invoice).needs_card) == (["failed", "failed"], False)
    sweep(DECEMBER + DAY + timedelta(hours=12))
    assert len(charges(payer)) == 3


def test_steps_that_an_outage_missed_do_not_follow_at_once(payer: Organization) -> None:
    factories.card(payer, "pm_card_chargeDeclined")
    issue(payer, 100)
    late = DECEMBER + 20 * DAY
    for minute in range(3):
        sweep(late + timedelta(minutes=minute))
    assert len(charges(payer)) == 1
    assert not Organization.objects.get(pk=payer.pk).suspended_for


@pytest.fixture
def suspended(payer: Organization) -> Invoice:
    """An invoice whose payer is suspended for it."""
    invoice = issue(payer, 100)
    for day in (0, 1, 3, 5, 7, 14):
        sweep(DECEMBER + day * DAY + timedelta(hours=12))
    payer.refresh_from_db()
    assert (payer.status, payer.suspended_for) == ("suspended", ["unpaid"])
    return invoice


def pay(invoice: Invoice, payer: Organization) -> Payment:
    """By hand, with a card."""
    card = factories.card(payer)
    for payment in Payment.objects.filter(invoice=invoice, status__in=Payment.OPEN):
        payments.cancel(payment)
    with time_machine.travel(LATER, tick=False):
        begun = paying.begin(invoice, method=card.public_id, by="test", now=LATER)
        return payments.complete(begun.pk)


def test_paying_lifts_the_suspension(suspended: Invoice, payer: Organization) -> None:
    assert pay(suspended, payer).status == "succeeded"
    payer.refresh_from_db()
    assert (payer.status, payer.suspended_for) == ("active", [])


def test_paying_lifts_no_operators_suspension(suspended: Invoice, payer: Organization) -> None:
    tree.suspend(payer, by=factories.operator())
    assert pay(suspended, payer).status == "succeeded"
    payer.refresh_from_db()
    assert (payer.status, payer.suspended_for) == ("suspended", ["manual"])
    assert tree.resume(payer, by=factories.operator()).status == "active"


def test_nothing_but_paying_lifts_it(suspended: Invoice, payer: Organization) -> None:
    with pytest.raises(tree.OrganizationUnpaid):
        tree.resume(payer, by=factories.operator())
    tree.suspend(payer, by=factories.operator())
    assert tree.resume(payer, by=factories.operator()).status == "suspended"
    factories.credit(payer, 1000)
    payer.refresh_from_db()
    assert payer.suspended_for == ["unpaid"]


def test_it_stays_while_another_invoice_is_long_overdue(suspended: Invoice, payer: Organization) -> None:
    other = issue(payer, 50, now=DECEMBER)
    pay(suspended, payer)
    payer.refresh_from_db()
    assert payer.status == "suspended"
    pay(other, payer)
    payer.refresh_from_db()
    assert payer.status == "active"


def test_only_what_is_left_after_a_credit_note_is_charged(payer: Organization, bank: FaultySandbox) -> None:
    factories.card(payer)
    invoice = issue(payer, 100)
    credit(invoice, "19.00")
    assert unpaid.remainder(invoice)[0] == Decimal("84.03")
    sweep(DECEMBER)
    payment = Payment.objects.of(payer).get()
    assert [payment.amount, payment.tax, *bank.charged] == [Decimal("84.03"), Decimal("15.97"), 10000]
    assert state(invoice).status == "paid"


def test_nobody_is_chased_for_less_than_can_be_charged(payer: Organization) -> None:
    factories.card(payer)
    invoice = issue(payer, "0.20")
    for day in range(20):
        sweep(DECEMBER + day * DAY)
    assert (charges(payer), state(invoice).status) == ([], "open")


def test_a_paid_invoice_is_not_paid_again(payer: Organization) -> None:
    factories.card(payer)
    invoice = issue(payer, 100)
    sweep(DECEMBER)
    with pytest.raises(paying.NotPayable):
        paying.begin(invoice, method=None, by="test", now=DECEMBER)


def test_money_that_comes_twice_is_credited_twice(payer: Organization) -> None:
    """A payment that we gave up succeeds at the gateway, after another one has paid the invoice."""
    factories.card(payer)
    invoice = issue(payer, 100)
    lost = paying.begin(invoice, method=None, by="test", now=DECEMBER)
    Payment.objects.filter(pk=lost.pk).update(status="failed")
    sweep(DECEMBER)
    Payment.objects.filter(pk=lost.pk).update(status="pending")
    payments.complete(lost.pk)
    assert [entry.amount for entry in LedgerEntry.objects.of(payer)] == [100, 100]
    lost.refresh_from_db()
    assert lost.invoice != invoice
    assert Invoice.objects.of(payer).count() == 2


def test_a_race_of_ways_to_pay_charges_once(committed: None, settings: Any) -> None:
    payer = factories.organization("payer")
    factories.card(payer)
    invoice = issue(payer, 100, currency="USD")

    def by_hand() -> Any:
        return payments.complete(paying.begin(invoice, method=None, by="test", now=DECEMBER).pk)

    race([by_hand, by_hand, *[partial(dunning.advance, invoice.pk, DECEMBER)] * 2])
    assert charges(payer).count("succeeded") == 1
    assert LedgerEntry.objects.of(payer).get().amount == 100


def test_a_credit_note_in_full_settles_an_open_invoice(suspended: Invoice, payer: Organization) -> None:
    note = crediting.give(suspended, reason="Our mistake", actor="user:1", now=LATER)
    payer.refresh_from_db()
    assert (note.total, state(suspended).status, payer.status) == (suspended.total, "paid", "active")
    assert [entry.amount for entry in LedgerEntry.objects.of(payer)] == [100]


@pytest.mark.parametrize("amount", ["119.01", "0", "-1", "0.001"])
def test_a_credit_note_is_not_over_more_than_is_left(payer: Organization, amount: str) -> None:
    invoice = issue(payer, 100)
    with pytest.raises(Problem):
        crediting.give(invoice, amount=Decimal(amount), reason="Sorry", actor="user:1", now=DECEMBER)
    assert not LedgerEntry.objects.of(payer).exists()
    assert Invoice.objects.of(payer).count() == 1
