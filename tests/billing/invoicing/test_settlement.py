"""Purchases are invoiced at once, and refunds get a credit note: the ledger is net, the card pays the tax."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Organization
from billing.invoicing import crediting, papers, tax
from billing.models import AutoRecharge, Invoice, LedgerEntry, Payment, Refund, TaxRate
from billing.payments import gateways, payments, purchases, recharge, refunding, refunds
from billing.payments.gateways import RefundState
from tests import factories
from tests.billing.payments.gateway import FaultySandbox
from usage.storage import reconciliation


@pytest.fixture
def buyer(organization: Organization, bank: FaultySandbox) -> Organization:
    """A German customer: 19 % VAT."""
    TaxRate.objects.create(country="DE", valid_from=date(2020, 1, 1), percent=Decimal(19))
    factories.billing_account(organization, country="DE")
    factories.card(organization)
    return organization


def buy(organization: Organization, amount: str = "25") -> Payment:
    begun = purchases.begin(organization, amount=Decimal(amount), method=None, by="test")
    return payments.complete(begun.pk)


def refund(payment: Payment, amount: str | None = None) -> Refund:
    number = None if amount is None else Decimal(amount)
    return refunding.complete(refunds.begin(payment, amount=number, reason="Sorry", actor="test").pk)


def entries(organization: Organization) -> list[Any]:
    return list(LedgerEntry.objects.of(organization).order_by("seq").values_list("amount", flat=True))


def test_a_purchase_is_charged_with_tax_and_yields_a_paid_invoice(buyer: Organization, bank: FaultySandbox) -> None:
    payment = buy(buyer)
    assert (payment.amount, payment.tax, payment.total) == (25, Decimal("4.75"), Decimal("29.75"))
    assert [*bank.charged, *entries(buyer)] == [2975, 25]
    paper = Invoice.objects.of(buyer).get()
    assert (payment.invoice, paper.state.status, paper.due_at) == (paper, "paid", None)
    assert (paper.subtotal, paper.tax, paper.total) == (25, Decimal("4.75"), Decimal("29.75"))
    assert paper.number


def test_the_api_shows_tax_total_and_invoice(buyer: Organization, alice: Any, api: Any) -> None:
    body = api(alice).post("/v1/credits/purchases", {"amount": 10}).json()
    paper = Invoice.objects.of(buyer).get()
    assert (body["amount"], body["tax"], body["total"]) == (10, 1.9, 11.9)
    assert body["invoice"] == paper.public_id
    assert api(alice).get(f"/v1/payments/{body['id']}").json()["invoice"] == paper.public_id


def test_the_rate_of_the_moment_of_the_charge_is_on_the_paper(buyer: Organization) -> None:
    """Though it changed before the payment was settled."""
    begun = purchases.begin(buyer, amount=Decimal(100), method=None, by="test")
    TaxRate.objects.update(percent=50)
    assert payments.complete(begun.pk).total == 119
    assert Invoice.objects.of(buyer).get().tax == 19


def test_settled_twice_it_is_invoiced_once(buyer: Organization) -> None:
    payment = buy(buyer)
    payments.complete(payment.pk)
    assert Invoice.objects.of(buyer).count() == 1


def test_a_decline_takes_no_number(buyer: Organization) -> None:
    declined = factories.card(buyer, "pm_card_chargeDeclined")
    begun = purchases.begin(buyer, amount=Decimal(25), method=declined.public_id, by="test")
    assert payments.complete(begun.pk).status == "failed"
    assert not Invoice.objects.of(buyer).exists()


def test_a_recharge_is_invoiced_too(buyer: Organization, bank: FaultySandbox) -> None:
    AutoRecharge.objects.create(organization=buyer, enabled=True, threshold=10, amount=20)
    payment = recharge.run(buyer, timezone.now())
    assert payment is not None
    assert [payment.tax, *bank.charged, *entries(buyer)] == [Decimal("3.80"), 2380, 20]
    assert Invoice.objects.of(buyer).get().total == Decimal("23.80")


def test_a_recharge_whose_sum_changed_meanwhile_waits_for_the_next_sweep(
    buyer: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tax is asked for before the lock, for another sum."""
    AutoRecharge.objects.create(organization=buyer, enabled=True, threshold=10, target=20)
    assess = tax.assess

    def slowly(*args: Any) -> Any:
        factories.credit(buyer, 5)
        return assess(*args)

    with monkeypatch.context() as slow:
        slow.setattr(tax, "assess", slowly)
        assert recharge.run(buyer, timezone.now()) is None
    again = recharge.run(buyer, timezone.now())
    assert again is not None
    assert again.amount == 15


def test_the_backup_card_is_charged_the_same_tax(buyer: Organization) -> None:
    AutoRecharge.objects.create(
        organization=buyer,
        enabled=True,
        threshold=10,
        amount=20,
        payment_method=factories.card(buyer, "pm_card_chargeDeclined"),
    )
    backup = factories.card(buyer, "pm_card_mastercard")
    type(backup).objects.filter(pk=backup.pk).update(is_backup=True)
    recharge.run(buyer, timezone.now())
    payments.sweep(timezone.now())
    payment = Payment.objects.of(buyer).get(status="succeeded")
    assert (payment.method, payment.tax) == (backup, Decimal("3.80"))
    assert Invoice.objects.of(buyer).get().tax == payment.tax


def test_refunds_yield_credit_notes_that_add_up(buyer: Organization) -> None:
    payment = buy(buyer, "1.00")
    parts = [refund(payment, amount) for amount in ("0.34", "0.33", "0.33")]
    notes = [part.credit_note for part in parts]
    assert [part.total for part in parts] == [note.total for note in notes if note]
    assert sum(note.tax for note in notes if note) == Decimal("0.19")
    assert all(note and note.corrects == payment.invoice for note in notes)
    assert entries(buyer)[1:] == [Decimal("-0.34"), Decimal("-0.33"), Decimal("-0.33")]


def test_what_a_credit_note_gave_back_is_not_refunded_too(buyer: Organization) -> None:
    payment = buy(buyer)
    assert payment.invoice is not None
    crediting.give(payment.invoice, amount=Decimal("11.90"), reason="Sorry", actor="test", now=timezone.now())
    with pytest.raises(refunds.NotRefundable):
        refund(payment, str(payment.amount))
    pending = refunds.begin(payment, amount=Decimal(15), reason="Sorry", actor="test")
    with pytest.raises(crediting.NotCreditable):
        crediting.give(payment.invoice, reason="Sorry", actor="test", now=timezone.now())
    refunding.complete(pending.pk)
    assert papers.credited(payment.invoice) == payment.invoice.total
    assert reconciliation.run() == []


def test_a_refund_that_is_refused_yields_none(buyer: Organization, bank: FaultySandbox) -> None:
    payment = buy(buyer)

    def refuse() -> None:
        raise gateways.GatewayRefused("charge_disputed")

    bank.before["refund"] = refuse
    assert refund(payment).credit_note is None
    assert Invoice.objects.of(buyer).count() == 1


def test_a_refund_that_comes_back_days_later_is_invoiced_again(buyer: Organization) -> None:
    payment = buy(buyer)
    done = refund(payment)
    gateway = gateways.named(payment.gateway_name)
    answer = gateway.retrieve_refund(done.gateway_reference)
    refunding.settle(done.pk, type(answer)(**{**vars(answer), "state": RefundState.FAILED}))
    kinds = list(Invoice.objects.of(buyer).order_by("issued_at").values_list("kind", "total"))
    assert kinds == [("invoice", Decimal("29.75")), ("credit_note", Decimal("29.75")), ("invoice", Decimal("29.75"))]
    assert payment.invoice is not None
    assert papers.credited(payment.invoice) == 0
    assert sum(entries(buyer)) == 25


@pytest.mark.parametrize("amount", ["840336.14", "999999.99"])
def test_what_is_too_large_with_its_tax_is_refused(alice: Any, buyer: Organization, api: Any, amount: str) -> None:
    answer = api(alice).post("/v1/credits/purchases", {"amount": amount})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/amount")
    assert not Payment.objects.of(buyer).exists()
