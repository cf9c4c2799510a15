"""Credits move once, whoever moves them: an operator in the ledger, a refund, a bank, or a credit note."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import Organization
from billing.exceptions import NotReversible
from billing.invoicing import crediting, papers, postpaid
from billing.ledger import corrections
from billing.models import Dispute, Invoice, LedgerAccount, LedgerEntry, Payment, Refund
from billing.payments import disputes, gateways, refunding, refunds
from billing.payments.gateways import DisputeState, RefundState
from billing.payments.minor_units import Money
from tests import factories
from tests.billing.invoicing.drafts import issue
from tests.billing.payments.buying import paid
from usage.storage import reconciliation

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def payment(organization: Organization) -> Payment:
    """25 dollars that were paid."""
    factories.card(organization)
    return paid(organization)


def reverse(payment: Payment, kind: str = "purchase") -> LedgerEntry:
    """An operator does."""
    entry = LedgerEntry.objects.of(payment.organization).get(kind=kind)
    return corrections.reverse(entry, reason="A mistake", actor="key_0", now=timezone.now())


def refund_at_the_gateway(
    payment: Payment, minor: int, state: RefundState = RefundState.SUCCEEDED, id: str = ""
) -> Refund:
    money, id = Money(minor, "USD"), id or f"re_{uuid4().hex}"
    answer = gateways.Refund(id, state, money, payment.intent, timezone.now())
    row = refunding.observe(answer, gateways.named("sandbox"), timezone.now())
    assert row is not None
    return row


def dispute(
    payment: Payment, withdrawn: int, reinstated: int = 0, state: DisputeState = DisputeState.OPEN, id: str = "du_1"
) -> Dispute:
    money = Money(withdrawn, "USD")
    answer = gateways.Dispute(id, state, money, payment.intent, "fraudulent", timezone.now(), withdrawn, reinstated)
    for _ in range(2):
        row = disputes.observe(answer, gateways.named("sandbox"), timezone.now())
    assert row is not None
    return row


def balance(payment: Payment) -> Any:
    return LedgerAccount.objects.get(pk=payment.organization_id).balance


def entries(payment: Payment) -> list[Any]:
    return list(LedgerEntry.objects.of(payment.organization).order_by("seq").values_list("kind", "amount"))


def kinds(payment: Payment) -> list[Any]:
    return list(Invoice.objects.of(payment.organization).order_by("issued_at").values_list("kind", "total"))


def agrees() -> bool:
    return reconciliation.run() == []


# An operator has reversed the purchase


def test_a_refund_of_a_purchase_that_was_reversed_takes_nothing_more(payment: Payment) -> None:
    """In parts, by us and in the gateway's dashboard; other credits stay."""
    factories.credit(payment.organization, 100)
    reversal = reverse(payment)
    ours = refunding.complete(refunds.begin(payment, amount=Decimal(10), reason="Sorry", actor="key_0").pk)
    theirs = refund_at_the_gateway(payment, 1500)
    payment.refresh_from_db()
    assert (balance(payment), payment.refunded) == (100, 25)
    assert {ours.status, theirs.status} == {"succeeded"}
    assert {ours.entry_seq, theirs.entry_seq} == {reversal.seq}
    assert kinds(payment)[1:] == [("credit_note", 10), ("credit_note", 15)]
    assert agrees()


def test_if_that_refund_fails_the_operators_reversal_stays(payment: Payment) -> None:
    reverse(payment)
    row = refund_at_the_gateway(payment, 2500)
    failed = refund_at_the_gateway(payment, 2500, RefundState.FAILED, row.gateway_reference)
    payment.refresh_from_db()
    assert (failed.status, balance(payment), payment.refunded) == ("failed", 0, 0)
    assert agrees()


def test_a_dispute_of_a_purchase_that_was_reversed_moves_no_credits(payment: Payment) -> None:
    reverse(payment)
    row = dispute(payment, 2500)
    assert (balance(payment), row.withdrawn, row.withdrawn_total) == (0, 0, 25)
    row = dispute(payment, 2500, 2500, DisputeState.WON)
    assert (balance(payment), row.reinstated, row.reinstated_total) == (0, 0, 25)
    assert agrees()


@pytest.mark.parametrize("taken_by", ["refund", "dispute"])
def test_a_purchase_of_which_some_was_taken_is_not_reversed_as_a_whole(payment: Payment, taken_by: str) -> None:
    refund_at_the_gateway(payment, 1000) if taken_by == "refund" else dispute(payment, 1000)
    with pytest.raises(NotReversible):
        reverse(payment)
    assert balance(payment) == 15


def test_the_books_show_what_was_taken_twice(payment: Payment) -> None:
    """What the verb refuses, as if it had been posted in another way."""
    refund_at_the_gateway(payment, 2500)
    Payment.objects.update(refunded=0)
    reverse(payment)
    Payment.objects.update(refunded=25)
    assert "the credits of a purchase that was reversed were taken once" in {row.check for row in reconciliation.run()}


# An operator has reversed a chargeback


@pytest.mark.parametrize("parts", [(2500,), (1000, 2500)])
def test_a_reinstatement_returns_nothing_that_an_operator_returned(payment: Payment, parts: tuple[int, ...]) -> None:
    dispute(payment, 2500)
    reverse(payment, "chargeback")
    for reinstated in parts:
        row = dispute(payment, 2500, reinstated, DisputeState.WON)
    payment.refresh_from_db()
    assert (balance(payment), row.reinstated, payment.disputed) == (25, 25, 0)
    assert agrees()


def test_the_rest_of_it_is_returned(payment: Payment) -> None:
    """Of two withdrawals an operator returned the first."""
    dispute(payment, 1000)
    reverse(payment, "chargeback")
    dispute(payment, 2500)
    assert balance(payment) == 10
    dispute(payment, 2500, 2500, DisputeState.WON)
    assert balance(payment) == 25
    assert agrees()


def test_what_came_back_in_part_is_not_reversed_as_a_whole(payment: Payment) -> None:
    dispute(payment, 2500)
    dispute(payment, 2500, 1000)
    with pytest.raises(NotReversible):
        reverse(payment, "chargeback")
    assert balance(payment) == 10


# Credit notes


def test_a_dispute_that_is_lost_gets_a_credit_note(payment: Payment) -> None:
    dispute(payment, 2500)
    assert kinds(payment) == [("invoice", 25)]
    row = dispute(payment, 2500, 500, DisputeState.LOST)
    assert row.credit_note is not None
    assert (kinds(payment)[1:], row.credit_note.corrects) == ([("credit_note", 20)], payment.invoice)
    assert agrees()


def test_what_comes_back_of_a_lost_dispute_is_invoiced_again(payment: Payment) -> None:
    dispute(payment, 2500, 0, DisputeState.LOST)
    dispute(payment, 2500, 1000, DisputeState.LOST)
    assert kinds(payment)[1:] == [("credit_note", 25), ("invoice", 25), ("credit_note", 15)]
    dispute(payment, 2500, 2500, DisputeState.WON)
    assert payment.invoice is not None
    assert papers.credited(payment.invoice) == 0
    assert balance(payment) == 25
    assert agrees()


def test_the_tax_of_a_lost_dispute_is_credited_too(organization: Organization) -> None:
    factories.card(organization)
    type(organization.billing_account).objects.update(tax_percent=Decimal("19.96"))
    payment = paid(organization)
    row = dispute(payment, 2999, 0, DisputeState.LOST)
    assert row.credit_note is not None
    assert (row.credit_note.subtotal, row.credit_note.tax) == (25, Decimal("4.99"))
    assert agrees()


@pytest.mark.parametrize(("given", "noted"), [("25", []), ("10", [("credit_note", 15)])])
@pytest.mark.parametrize("by", ["refund", "dispute"])
def test_money_that_goes_back_after_a_credit_note_is_not_credited_twice(
    payment: Payment, given: str, noted: list[Any], by: str
) -> None:
    """The credit note gave credits, which stay; the purchase's own are taken once."""
    assert payment.invoice is not None
    crediting.give(payment.invoice, amount=Decimal(given), reason="Goodwill", actor="key_0", now=timezone.now())
    refund_at_the_gateway(payment, 2500) if by == "refund" else dispute(payment, 2500, 0, DisputeState.LOST)
    assert balance(payment) == Decimal(given)
    assert kinds(payment)[2:] == noted
    assert agrees()


def test_what_a_bank_holds_is_not_given_back_as_credits(payment: Payment) -> None:
    """Until the bank decides: its money would be given back twice if it is lost."""
    assert payment.invoice is not None
    terms: dict[str, Any] = {"reason": "Goodwill", "actor": "key_0", "now": timezone.now()}
    dispute(payment, 2500)
    with pytest.raises(crediting.NotCreditable, match="bank"):
        crediting.give(payment.invoice, **terms)
    dispute(payment, 2500, 2500, DisputeState.WON)
    crediting.give(payment.invoice, **terms)
    assert balance(payment) == 50
    assert agrees()


@pytest.mark.parametrize("lost", [True, False])
def test_a_postpaid_invoice_that_a_bank_took_back_is_asked_for_again(payment: Payment, lost: bool) -> None:
    """The service was used: an open dispute leaves the invoice as it is, and a lost one leaves a debt for the next."""
    invoice = issue(payment.organization, 25, currency="USD", now=timezone.now())
    Payment.objects.update(purpose="invoice", invoice=invoice)
    payment.refresh_from_db()
    dispute(payment, 2500, 0, DisputeState.LOST if lost else DisputeState.OPEN)
    payer = payment.organization_id
    assert postpaid.owed({payer: LATER}) == {payer: 0 if lost else 25}
