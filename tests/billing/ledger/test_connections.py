"""Prepared statements belong to a connection: when it breaks, the next posting works all the same."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from accounts.lib import sql
from accounts.models import Organization
from billing.ledger import posting
from billing.models import LedgerEntry
from tests import factories
from tests.concurrency import race

Kind = LedgerEntry.Kind


@pytest.fixture
def payer(committed: None) -> Organization:
    organization = factories.organization()
    factories.credit(organization, 10)
    return organization


def debit(payer: Organization) -> Any:
    return posting.debit(payer.pk, kind=Kind.SUBSCRIPTION, amount=Decimal(1), now=timezone.now()).balance_after


def test_a_posting_prepared_in_a_transaction_that_was_rolled_back_is_posted_again(payer: Organization) -> None:
    connection.close()
    with transaction.atomic():
        debit(payer)
        transaction.set_rollback(True)
    assert debit(payer) == 9


def test_a_posting_that_failed_leaves_the_statement_good(payer: Organization) -> None:
    connection.close()
    with pytest.raises(IntegrityError):
        posting.post(payer.pk, kind=Kind.GRANT, amount=Decimal(-1), now=timezone.now())
    assert debit(payer) == 9


def test_in_a_broken_transaction_nothing_is_posted(payer: Organization) -> None:
    with transaction.atomic():
        with pytest.raises(IntegrityError), transaction.atomic(savepoint=False):
            posting.post(payer.pk, kind=Kind.GRANT, amount=Decimal(-1), now=timezone.now())
        with pytest.raises(TransactionManagementError):
            debit(payer)
    assert debit(payer) == 9


def test_a_connection_that_the_server_closed_is_replaced(payer: Organization) -> None:
    debit(payer)
    [(mine,)] = sql.rows("SELECT pg_backend_pid()", {})
    [closed] = race([lambda: sql.rows("SELECT pg_terminate_backend(%(pid)s::int, 5000)", {"pid": mine})])
    assert closed == [(True,)]
    connection.close_if_unusable_or_obsolete()  # as each request begins
    assert debit(payer) == 8


def test_statements_are_not_prepared_where_a_pooler_can_not_follow(payer: Organization) -> None:
    connection.close()
    connection.ensure_connection()
    connection.connection.prepare_threshold = None
    debit(payer)
    prepared = sql.rows("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%ledgerentry%%'", {})
    connection.close()
    assert prepared == [(0,)]
