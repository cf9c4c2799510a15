"""Each check of papers, broken on purpose, is one that fails."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Organization
from billing.invoicing import crediting, documents
from billing.models import TaxRate
from billing.payments import payments, purchases, refunding, refunds
from tests import factories
from tests.billing.invoicing.drafts import issue
from usage.storage import paper_checks, reconciliation

NUMBERS, SUMS, PAYMENTS, CREDITED, REFUNDS, DOCUMENTS = paper_checks.CHECKS

CORRUPTIONS = [
    ("UPDATE billing_invoiceseries SET last = last + 1", {NUMBERS}),
    ("UPDATE billing_invoiceline SET amount = amount + 1", {SUMS}),
    (
        "UPDATE billing_invoice SET tax = tax + 99, total = total + 99 WHERE kind = 'credit_note'",
        {SUMS, CREDITED, REFUNDS},
    ),
    ("UPDATE billing_payment SET invoice_id = NULL", {PAYMENTS, CREDITED}),
    ("UPDATE billing_payment SET tax = tax - 1", {PAYMENTS}),
    ("UPDATE billing_invoicestate SET status = 'open', paid_at = NULL WHERE status = 'paid'", {PAYMENTS}),
    ("UPDATE billing_invoicestate SET status = 'paid', paid_at = now() WHERE status = 'open'", {CREDITED}),
    ("UPDATE billing_refund SET credit_note_id = NULL", {REFUNDS}),
    ("UPDATE billing_invoicedocument SET pdf = 'another'", {DOCUMENTS}),
]


@pytest.fixture
def books(organization: Organization) -> Organization:
    """A purchase with a refund, an open invoice with a credit note, and a statement, all with documents."""
    TaxRate.objects.create(country="DE", valid_from=date(2020, 1, 1), percent=Decimal(19))
    factories.billing_account(organization, country="DE")
    factories.card(organization)
    payment = payments.complete(purchases.begin(organization, amount=Decimal(25), method=None, by="test").pk)
    refunding.complete(refunds.begin(payment, amount=Decimal(5), reason="Sorry", actor="").pk)
    invoice = issue(organization, 100)
    crediting.give(invoice, amount=Decimal(19), reason="Goodwill", actor="", now=timezone.now())
    documents.make_due(timezone.now())
    return organization


def broken() -> set[str]:
    return {finding.check for finding in reconciliation.run()} & paper_checks.CHECKS.keys()


def test_what_is_wrong_is_found(books: Organization) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("invoice", "invoiceline", "invoicedocument"):
            cursor.execute(f"ALTER TABLE billing_{table} DISABLE TRIGGER USER")
        assert broken() == set()
        for statement, checks in CORRUPTIONS:
            savepoint = transaction.savepoint()
            cursor.execute(statement)
            assert cursor.rowcount > 0
            assert (statement, broken()) == (statement, checks)
            transaction.savepoint_rollback(savepoint)
