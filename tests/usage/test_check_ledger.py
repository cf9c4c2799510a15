"""Each check of the books, broken on purpose and in no other way, is the one that fails."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from accounts.models import Organization
from billing import ledger
from billing.models import Hold, LedgerAccount, LedgerEntry
from tests import factories
from tests.usage.batches import event, record
from usage import reconciliation

BALANCE = "the balance is the sum of the entries"
SEQ = "seq counts from 1 without gaps, up to the account's"
CHAIN = "each balance_after is the one before it plus the amount"
RESERVED = "reserved is the sum of the open holds"
USAGE = "each usage entry is the sum of the events that name it"
ROLLUP = "each rollup is the sum of its events"
ENDPOINTS = "each rollup by endpoint is the sum of its events"

# What is done to the books of one organization, and the checks that it breaks.
CORRUPTIONS = [
    ("UPDATE billing_ledgeraccount SET balance = balance + 1 WHERE true", {BALANCE}),
    ("UPDATE billing_ledgeraccount SET seq = seq + 1 WHERE true", {SEQ}),
    ("UPDATE billing_ledgeraccount SET reserved = 5 WHERE true", {RESERVED}),
    ("UPDATE billing_hold SET status = 'released' WHERE true", {RESERVED}),
    ("UPDATE billing_hold SET amount = amount + 1 WHERE true", {RESERVED}),
    ("DELETE FROM billing_ledgerentry WHERE seq = 1", {BALANCE, SEQ, CHAIN}),
    ("DELETE FROM billing_ledgerentry WHERE seq = 2", {BALANCE, SEQ, CHAIN}),
    ("UPDATE billing_ledgerentry SET seq = 9 WHERE seq = 3", {SEQ, USAGE}),
    ("UPDATE billing_ledgerentry SET balance_after = balance_after + 1 WHERE seq = 1", {CHAIN}),
    ("UPDATE billing_ledgerentry SET amount = amount + 1 WHERE seq = 1", {BALANCE, CHAIN}),
    ("UPDATE usage_event SET credits = credits + 1 WHERE credits > 0", {USAGE, ROLLUP, ENDPOINTS}),
    ("UPDATE usage_event SET entry_seq = 1 WHERE credits > 0", {USAGE}),
    ("DELETE FROM usage_event WHERE true", {USAGE, ROLLUP, ENDPOINTS}),
    ("UPDATE usage_event SET occurred_at = occurred_at - interval '1 hour' WHERE true", {ROLLUP, ENDPOINTS}),
    ("UPDATE usage_event SET key_id = NULL WHERE true", {ROLLUP, ENDPOINTS}),
    ("UPDATE usage_event SET endpoint = '/other' WHERE true", {ENDPOINTS}),
    ("UPDATE usage_usagerollup SET requests = requests + 1 WHERE true", {ROLLUP}),
    ("UPDATE usage_usagerollup SET failed = failed + 1 WHERE true", {ROLLUP}),
    ("UPDATE usage_usagerollup SET quantity = quantity + 1 WHERE true", {ROLLUP}),
    ("UPDATE usage_usagerollup SET credits = credits + 1 WHERE true", {ROLLUP}),
    ("UPDATE usage_usagerollup SET environment = 'test' WHERE true", {ROLLUP}),
    ("UPDATE usage_usagerollup SET account_id = key_id WHERE key_id IS NOT NULL", {ROLLUP}),
    ("DELETE FROM usage_usagerollup WHERE true", {ROLLUP}),
    ("UPDATE usage_endpointrollup SET requests = requests + 1 WHERE true", {ENDPOINTS}),
    ("UPDATE usage_endpointrollup SET failed = failed + 1 WHERE true", {ENDPOINTS}),
    ("UPDATE usage_endpointrollup SET quantity = quantity + 1 WHERE true", {ENDPOINTS}),
    ("UPDATE usage_endpointrollup SET credits = credits + 1 WHERE true", {ENDPOINTS}),
    ("UPDATE usage_endpointrollup SET environment = 'test' WHERE true", {ENDPOINTS}),
    ("UPDATE usage_endpointrollup SET account_id = key_id WHERE key_id IS NOT NULL", {ENDPOINTS}),
    ("DELETE FROM usage_endpointrollup WHERE true", {ENDPOINTS}),
    ("UPDATE usage_endpointrollup SET endpoint = endpoint || '/' WHERE true", {ENDPOINTS}),
]


@pytest.fixture
def books(funded: Organization) -> Organization:
    """Good books with everything in them: entries of several kinds, an open hold, events of a key and of none."""
    key, _ = factories.key(funded)
    test_key, _ = factories.key(funded, environment="test")
    ledger.debit(funded.pk, kind=LedgerEntry.Kind.SUBSCRIPTION, amount=Decimal(1))
    record(
        event(funded, endpoint="/a"),
        event(key, endpoint="/b", status=500),
        event(key, endpoint="/c", meter="sms"),
        event(test_key),
    )
    now = timezone.now()
    hold = {"amount": Decimal(3), "created_at": now, "expires_at": now + timedelta(minutes=5)}
    Hold.objects.create(account_id=funded.pk, organization=funded, **hold)
    LedgerAccount.objects.of(funded).update(reserved=3)
    return funded


def corrupt(organization: Organization, sql: str) -> None:
    """With the guards off, as only the owner of the tables can, until the test's transaction is rolled back."""
    mine = "organization_id" if "billing_ledgeraccount" in sql else "account_id"
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_ledgerentry DISABLE TRIGGER ledger_entry_immutable")
        cursor.execute(f"{sql} AND {mine} = %s", [organization.pk])


def check() -> tuple[int, str]:
    """The exit code of check_ledger and what it printed."""
    printed = StringIO()
    try:
        call_command("check_ledger", stdout=printed)
    except SystemExit as exit:
        return int(str(exit.code)), printed.getvalue()
    return 0, printed.getvalue()


def test_good_books_pass(books: Organization) -> None:
    code, report = check()
    assert code == 0
    assert [line[:4].strip() for line in report.splitlines()[:-1]] == ["ok"] * len(reconciliation.CHECKS)
    assert report.endswith(f"{LedgerAccount.objects.count():,} accounts, 0 differences.\n")


@pytest.mark.parametrize(("sql", "broken"), CORRUPTIONS)
def test_a_corruption_is_found_by_its_check_and_no_other(books: Organization, sql: str, broken: set[str]) -> None:
    corrupt(books, sql)
    findings = reconciliation.run()
    assert {finding.check for finding in findings} == broken
    assert {finding.organization for finding in findings} == {books.public_id}


def test_every_check_has_a_corruption() -> None:
    assert {check for _, broken in CORRUPTIONS for check in broken} == set(reconciliation.CHECKS)


def test_a_difference_is_reported_with_its_organization_and_exit_code_1(books: Organization) -> None:
    corrupt(books, "UPDATE billing_ledgeraccount SET reserved = 5 WHERE true")
    code, report = check()
    assert code == 1
    assert (
        f"FAIL  {RESERVED}\n      {books.public_id}: reserved 5.000000000, open holds add up to 3.000000000" in report
    )
    assert report.endswith("accounts, 1 differences.\n")


def test_one_accounts_difference_is_not_made_good_by_anothers(books: Organization, charlie: Any) -> None:
    other = charlie.current_organization
    factories.credit(other, 50)
    corrupt(books, "UPDATE billing_ledgeraccount SET balance = balance - 1 WHERE true")
    corrupt(other, "UPDATE billing_ledgeraccount SET balance = balance + 1 WHERE true")
    assert {finding.organization for finding in reconciliation.run()} == {books.public_id, other.public_id}


@pytest.mark.usefixtures("committed")
def test_the_proof_is_of_one_snapshot_and_writes_nothing() -> None:
    """With no transaction around it, the command opens its own."""
    organization = factories.organization()
    factories.credit(organization, 100)
    record(event(organization))
    assert reconciliation.run() == []
