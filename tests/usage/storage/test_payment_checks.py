"""Each check of payments, broken on purpose and in no other way, is the one that fails."""

from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Organization
from billing.ledger import corrections
from billing.models import LedgerEntry, Payment
from billing.payments import disputes, gateways, payments, purchases, refunding, refunds
from billing.payments.gateways import DisputeState, RefundState
from billing.payments.minor_units import Money
from tests import factories
from tests.billing.payments.recharging import switch_on
from usage.storage import payment_checks, reconciliation

PURCHASES, REFUNDS, TAKEN, DISPUTES, SUMS, REPLACEMENTS, WOKEN = payment_checks.CHECKS

# Damages to the books of one organization, and the checks that they break.
CORRUPTIONS = [
    ("UPDATE billing_payment SET status = 'failed' WHERE purpose = 'purchase'", {PURCHASES, SUMS}),
    ("UPDATE billing_payment SET status = 'succeeded' WHERE status = 'failed'", {PURCHASES}),
    ("UPDATE billing_payment SET amount = amount + 1 WHERE status = 'succeeded'", {PURCHASES, REPLACEMENTS}),
    ("UPDATE billing_payment SET refunded = refunded + 1 WHERE refunded > 0", {SUMS}),
    ("UPDATE billing_payment SET disputed = 0 WHERE disputed > 0", {SUMS}),
    ("UPDATE billing_payment SET tax = 1 WHERE replaces_id IS NOT NULL", {REPLACEMENTS}),
    ("UPDATE billing_refund SET amount = amount + 1 WHERE status = 'succeeded'", {REFUNDS, SUMS}),
    ("UPDATE billing_refund SET total = total + 100 WHERE status = 'succeeded'", {SUMS}),
    ("UPDATE billing_refund SET status = 'succeeded' WHERE status = 'failed'", {SUMS}),
    ("UPDATE billing_refund SET status = 'failed' WHERE status = 'succeeded'", {REFUNDS, SUMS}),
    ("UPDATE billing_refund SET entry_seq = 1 WHERE status = 'succeeded'", {REFUNDS}),
    ("DELETE FROM billing_refund WHERE status = 'succeeded'", {REFUNDS, SUMS}),
    ("UPDATE billing_ledgerentry SET reference = '' WHERE kind = 'reversal'", {TAKEN}),
    ("UPDATE billing_dispute SET withdrawn = withdrawn + 1", {DISPUTES, SUMS}),
    ("UPDATE billing_dispute SET reinstated = 0", {DISPUTES, SUMS}),
    ("DELETE FROM billing_dispute", {DISPUTES, SUMS}),
    ("UPDATE billing_autorecharge SET threshold = threshold + 1", {WOKEN}),
    ("UPDATE billing_autorecharge SET enabled = false", {WOKEN}),
    ("UPDATE billing_ledgeraccount SET recharge_below = NULL WHERE recharge_below IS NOT NULL", {WOKEN}),
]


@pytest.fixture
def books(organization: Organization) -> Organization:
    """A payment with a refund, one that failed, and a dispute; one that failed; and a recharge with a backup card.

    An operator has reversed what the recharge brought.
    """
    card, gateway, now = factories.card(organization), gateways.named("sandbox"), timezone.now()
    payment = payments.complete(purchases.begin(organization, amount=Decimal(25), method=None, by="test").pk)
    refunding.complete(refunds.begin(payment, amount=Decimal(5), reason="Sorry", actor="").pk)
    failed = refunding.complete(refunds.begin(payment, amount=Decimal(3), reason="Sorry", actor="").pk)
    answer = gateways.Refund(failed.gateway_reference, RefundState.FAILED, Money(300, "USD"), payment.intent, now)
    refunding.settle(failed.pk, answer)
    for reinstated in (0, 400):
        money, state = Money(1000, "USD"), DisputeState.OPEN
        answer_of = gateways.Dispute("du_1", state, money, payment.intent, "", now, 1000, reinstated)
        disputes.observe(answer_of, gateway, now)
    switch_on(organization)
    terms = {"organization": organization, "purpose": "recharge", "amount": Decimal(50), "currency": "USD"}
    declined = Payment.objects.create(**terms, status="failed", method=card)
    backup = Payment.objects.create(**terms, replaces=declined, method=card, gateway="sandbox")
    payments.complete(backup.pk)
    bought = LedgerEntry.objects.of(organization).get(idempotency_key=f"payment:{backup.pk.hex}")
    corrections.reverse(bought, reason="A mistake", actor="key_0", now=now)
    return organization


def broken() -> set[str]:
    return {finding.check for finding in reconciliation.run()} & payment_checks.CHECKS.keys()


def test_every_check_has_a_corruption() -> None:
    assert {check for _, checks in CORRUPTIONS for check in checks} == set(payment_checks.CHECKS)


def test_good_books_pass(books: Organization) -> None:
    assert LedgerEntry.objects.of(books).count() == 8
    assert broken() == set()


def test_what_is_wrong_is_found(books: Organization) -> None:
    """In a database where other tests left rows, all of them are changed, which breaks the same checks."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_ledgerentry DISABLE TRIGGER ledger_entry_immutable")
        cursor.execute("ALTER TABLE billing_payment DROP CONSTRAINT payment_sums")
        cursor.execute("ALTER TABLE billing_dispute DROP CONSTRAINT dispute_sums")
        for statement, checks in CORRUPTIONS:
            savepoint = transaction.savepoint()
            cursor.execute(statement)
            assert cursor.rowcount > 0
            assert (statement, broken()) == (statement, checks)
            transaction.savepoint_rollback(savepoint)
    assert broken() == set()
