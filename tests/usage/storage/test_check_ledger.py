"""Each check of the books, broken on purpose and in no other way, is the one that fails."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import NotSupportedError, connection
from django.db.models import F
from django.utils import timezone

from accounts import people
from accounts.lib import months
from accounts.models import Organization
from billing.ledger import holds, leases, posting
from billing.models import LedgerAccount, LedgerEntry
from tests import factories
from tests.usage.metering.batches import event, record
from usage import tasks
from usage.metering import voids
from usage.models import LedgerProof, RetiredPartition
from usage.storage import ledger_checks, privileges, reconciliation, usage_checks

BALANCE = "the balance is the sum of the entries"
SEQ = "seq counts from 1 without gaps, up to the account's"
CHAIN = "each balance_after is the one before it plus the amount"
ORDER = "no entry is older than the one before it"
RESERVED = "reserved is what the open holds may still take"
HOLDS = "each hold is resolved once, and its capture is its entry"
LOTS = "the lots hold the balance, and none more than it brought"
BROUGHT = "each entry that raised the balance has its lot"
DUE = "due_at is no later than what falls due"
USAGE = "each usage entry is the sum of the events that name it"
VOIDS = "each void's adjustment is what its event was charged"
ROLLUP = "each rollup is the sum of its events"
ENDPOINTS = "each rollup by endpoint is the sum of its events"
RETIRED = "the rollups by endpoint add up to the others where events are retired"
VOLUMES = "each volume is the sum of its month's rollups"
SPENT = "what a payer and a key spent in a month is their usage and their captures"
BENEATH = "what an organization spent in a month is what stood beneath it used"

# Damages to the books of one organization, and the checks that they break.
CORRUPTIONS = [
    ("UPDATE billing_ledgeraccount SET balance = balance + 100 WHERE true", {BALANCE, LOTS}),
    ("UPDATE billing_ledgeraccount SET balance = balance - 1 WHERE true", {BALANCE}),
    ("UPDATE billing_ledgeraccount SET seq = seq + 1 WHERE true", {SEQ}),
    ("UPDATE billing_ledgeraccount SET reserved = 5 WHERE true", {RESERVED}),
    ("UPDATE billing_ledgeraccount SET due_at = NULL WHERE true", {DUE}),
    ("UPDATE billing_ledgeraccount SET due_at = due_at + interval '1 second' WHERE true", {DUE}),
    ("UPDATE billing_hold SET status = 'released', resolved_at = now() WHERE status = 'open'", {RESERVED}),
    ("UPDATE billing_hold SET amount = amount + 1 WHERE status = 'open'", {RESERVED}),
    ("UPDATE billing_hold SET captured = captured + 1 WHERE purpose = 'lease' AND status = 'open'", {RESERVED}),
    ("UPDATE billing_hold SET expires_at = expires_at - interval '1 day' WHERE status = 'open'", {DUE}),
    ("UPDATE billing_hold SET captured = 0.001 WHERE purpose = 'hold' AND status = 'open'", {RESERVED, HOLDS}),
    ("UPDATE billing_hold SET resolved_at = now() WHERE status = 'open'", {HOLDS}),
    ("UPDATE billing_hold SET resolved_at = NULL WHERE status = 'captured'", {HOLDS}),
    ("UPDATE billing_hold SET status = 'released' WHERE status = 'captured'", {HOLDS}),
    ("UPDATE billing_hold SET captured = captured + 1 WHERE entry_seq IS NOT NULL", {HOLDS}),
    ("UPDATE billing_hold SET captured = captured - 1 WHERE entry_seq IS NOT NULL", {HOLDS}),
    ("UPDATE billing_hold SET entry_seq = NULL WHERE entry_seq IS NOT NULL", {HOLDS, SPENT, BENEATH}),
    ("UPDATE billing_hold SET entry_seq = 1 WHERE entry_seq IS NOT NULL", {HOLDS, SPENT, BENEATH}),
    ("DELETE FROM billing_hold WHERE entry_seq IS NOT NULL", {HOLDS, SPENT, BENEATH}),
    ("UPDATE billing_grant SET remaining = remaining - 10 WHERE entry_seq = 1", {LOTS}),
    ("UPDATE billing_grant SET remaining = amount + 1 WHERE entry_seq = 1", {LOTS}),
    ("UPDATE billing_grant SET remaining = -1 WHERE entry_seq = 3", {LOTS}),
    ("UPDATE billing_grant SET amount = amount + 1 WHERE entry_seq = 1", {BROUGHT}),
    ("UPDATE billing_grant SET entry_seq = 2 WHERE entry_seq = 1", {BROUGHT}),
    ("UPDATE billing_grant SET expires_at = now() WHERE entry_seq = 1", {DUE}),
    ("DELETE FROM billing_grant WHERE entry_seq = 3", {BROUGHT, LOTS}),
    ("DELETE FROM billing_ledgerentry WHERE seq = 1", {BALANCE, SEQ, CHAIN, BROUGHT}),
    ("DELETE FROM billing_ledgerentry WHERE seq = 2", {BALANCE, SEQ, CHAIN}),
    ("DELETE FROM billing_ledgerentry WHERE kind = 'capture'", {BALANCE, SEQ, CHAIN, HOLDS, SPENT, BENEATH}),
    ("UPDATE billing_ledgerentry SET seq = seq + 90 WHERE kind = 'usage'", {SEQ, CHAIN, USAGE, ORDER}),
    ("UPDATE billing_ledgerentry SET balance_after = balance_after + 1 WHERE seq = 1", {CHAIN}),
    ("UPDATE billing_ledgerentry SET created_at = created_at + interval '1 hour' WHERE seq = 2", {ORDER}),
    ("UPDATE billing_ledgerentry SET amount = amount + 1 WHERE seq = 1", {BALANCE, CHAIN, BROUGHT}),
    ("UPDATE billing_ledgerentry SET metadata = '{}' WHERE kind = 'adjustment'", {VOIDS}),
    ("UPDATE usage_event SET credits = credits + 1 WHERE id = 'kept'", {USAGE, ROLLUP, ENDPOINTS}),
    ("UPDATE usage_event SET credits = credits + 1 WHERE id = 'voided'", {USAGE, VOIDS}),
    ("UPDATE usage_event SET entry_seq = 1 WHERE id = 'kept'", {USAGE}),
    ("DELETE FROM usage_event WHERE id = 'kept'", {USAGE, ROLLUP, ENDPOINTS}),
    ("DELETE FROM usage_event WHERE id = 'voided'", {USAGE, VOIDS}),
    ("UPDATE usage_event SET occurred_at = occurred_at - interval '1 hour' WHERE true", {ROLLUP, ENDPOINTS}),
    ("UPDATE usage_event SET key_id = NULL WHERE id = 'kept'", {ROLLUP, ENDPOINTS}),
    ("UPDATE usage_event SET endpoint = '/other' WHERE id = 'kept'", {ENDPOINTS}),
    ("UPDATE usage_eventvoid SET entry_seq = NULL WHERE event_id = 'voided'", {VOIDS}),
    ("UPDATE usage_eventvoid SET entry_seq = 1 WHERE event_id = 'voided'", {VOIDS}),
    ("UPDATE usage_eventvoid SET entry_seq = 1 WHERE event_id = 'free'", {VOIDS}),
    ("UPDATE usage_eventvoid SET event_id = 'kept' WHERE event_id = 'voided'", {VOIDS, ROLLUP, ENDPOINTS}),
    ("DELETE FROM usage_eventvoid WHERE event_id = 'voided'", {VOIDS, ROLLUP, ENDPOINTS}),
    ("DELETE FROM usage_eventvoid WHERE event_id = 'free'", {ROLLUP, ENDPOINTS}),
    ("UPDATE usage_usagerollup SET requests = requests + 1 WHERE true", {ROLLUP, VOLUMES}),
    ("UPDATE usage_usagerollup SET failed = failed + 1 WHERE true", {ROLLUP}),
    ("UPDATE usage_usagerollup SET quantity = quantity + 1 WHERE true", {ROLLUP, VOLUMES}),
    ("UPDATE usage_usagerollup SET credits = credits + 1 WHERE true", {ROLLUP, SPENT}),
    ("UPDATE usage_usagerollup SET environment = 'test' WHERE true", {ROLLUP, VOLUMES}),
    ("UPDATE usage_usagerollup SET account_id = key_id WHERE key_id IS NOT NULL", {ROLLUP, VOLUMES, SPENT}),
    ("DELETE FROM usage_usagerollup WHERE true", {ROLLUP, VOLUMES, SPENT}),
    ("UPDATE usage_endpointrollup SET requests = requests + 1 WHERE true", {ENDPOINTS}),
    ("UPDATE usage_endpointrollup SET failed = failed + 1 WHERE true", {ENDPOINTS}),
    ("UPDATE usage_endpointrollup SET quantity = quantity + 1 WHERE true", {ENDPOINTS}),
    ("UPDATE usage_endpointrollup SET credits = credits + 1 WHERE true", {ENDPOINTS}),
    ("UPDATE usage_endpointrollup SET environment = 'test' WHERE true", {ENDPOINTS}),
    ("UPDATE usage_endpointrollup SET account_id = key_id WHERE key_id IS NOT NULL", {ENDPOINTS}),
    ("DELETE FROM usage_endpointrollup WHERE true", {ENDPOINTS}),
    ("UPDATE usage_endpointrollup SET endpoint = endpoint || '/' WHERE true", {ENDPOINTS}),
    ("UPDATE usage_volume SET quantity = quantity + 1 WHERE true", {VOLUMES}),
    ("UPDATE usage_volume SET month = month - interval '1 month' WHERE true", {VOLUMES}),
    ("UPDATE usage_volume SET quantity = -1 WHERE true", {VOLUMES}),
    ("UPDATE usage_volume SET requests = requests + 1 WHERE true", {VOLUMES}),
    ("DELETE FROM usage_volume WHERE true", {VOLUMES}),
    ("UPDATE billing_spending SET spent = spent + 1 WHERE subject = account_id", {SPENT}),
    ("UPDATE billing_spending SET spent = spent - 1 WHERE subject <> account_id", {SPENT, BENEATH}),
    ("UPDATE billing_spending SET month = month - interval '1 month' WHERE subject = account_id", {SPENT}),
    ("DELETE FROM billing_spending WHERE true", {SPENT, BENEATH}),
    ("DELETE FROM billing_move WHERE true", {BENEATH}),
    ("UPDATE billing_move SET seq = seq - 1 WHERE true", {BENEATH}),
]

# The same where all of it arrived in a month that is marked as retired: events may be gone, and rollups have more.
WHERE_RETIRED = [
    ("DELETE FROM usage_event WHERE id = 'kept'", set()),
    ("DELETE FROM usage_event WHERE true", set()),
    ("UPDATE usage_event SET credits = credits + 1 WHERE id = 'kept'", {USAGE, ROLLUP, ENDPOINTS}),
    ("UPDATE usage_usagerollup SET failed = failed + 1 WHERE true", {RETIRED}),
    ("UPDATE usage_endpointrollup SET requests = requests + 1 WHERE true", {RETIRED}),
    ("UPDATE usage_endpointrollup SET requests = requests - 1 WHERE requests > 0", {ENDPOINTS, RETIRED}),
    ("UPDATE usage_usagerollup SET failed = failed - 1 WHERE failed > 0", {ROLLUP, RETIRED}),
    ("DELETE FROM usage_usagerollup WHERE requests > 0", {ROLLUP, RETIRED, VOLUMES, SPENT}),
    ("DELETE FROM usage_endpointrollup WHERE true", {ENDPOINTS, RETIRED}),
    ("UPDATE usage_usagerollup SET credits = credits + 1 WHERE true", {RETIRED, SPENT}),
    ("UPDATE usage_eventvoid SET entry_seq = NULL WHERE event_id = 'voided'", {VOIDS}),
]


@pytest.fixture(scope="module")
def good_books(module_transaction: None) -> Organization:
    """Everything is in them: entries of several kinds, holds and a lease, events of a key and of none, and of an
    organization that was moved."""
    funded = factories.organization()
    factories.credit(funded, 100)
    key, _ = factories.key(funded)
    test_key, _ = factories.key(funded, environment="test")
    posting.debit(funded.pk, kind=LedgerEntry.Kind.SUBSCRIPTION, amount=Decimal(1), now=timezone.now())
    factories.credit(funded, 20)
    minutes = timedelta(minutes=5)
    holds.place(funded, amount=Decimal(3), ttl=minutes, now=timezone.now())
    holds.capture(
        holds.place(funded, key=key, amount=Decimal(3), ttl=minutes, now=timezone.now()), Decimal(2), now=timezone.now()
    )
    holds.release(holds.place(funded, amount=Decimal(1), ttl=minutes, now=timezone.now()), now=timezone.now())
    lease = leases.take(funded, key=key, amount=Decimal(1), ttl=minutes, now=timezone.now())
    named = holds.place(funded, key=key, amount=Decimal(1), ttl=minutes, now=timezone.now())
    record(
        event(funded, id="plain", endpoint="/a"),
        event(key, id="kept", endpoint="/b", status=500),
        event(key, endpoint="/c", meter="sms", hold=lease.public_id),
        event(key, endpoint="/c", meter="voice", hold=named.public_id),
        event(key, id="voided", endpoint="/d"),
        event(funded, id="free", quantity=0),
        event(test_key),
    )
    for id in ("voided", "free"):
        voids.void(funded, id, reason="Not delivered", actor="", now=timezone.now())
    _use_and_move(funded)
    return funded


@pytest.fixture
def books(good_books: Organization, db: None) -> Organization:
    return good_books


def _use_and_move(payer: Organization) -> None:
    """A child of `a` is used and captured, moved beneath `b`, and used and captured again."""
    a, b = (people.add_child(payer, name=name) for name in "ab")
    child = people.add_child(a, name="child")
    for place in (a, b):
        child = Organization.objects.get(pk=child.pk)
        if place == b:
            factories.move(child, b)
        record(event(child, endpoint="/child"))
        holds.capture(
            holds.place(child, amount=Decimal(1), ttl=timedelta(minutes=5), now=timezone.now()), now=timezone.now()
        )


def corrupt(organization: Organization, sql: str) -> None:
    """With the guards off, as only the owner of the tables can, until the test's transaction is rolled back."""
    column = "organization_id" if "billing_ledgeraccount" in sql else "account_id"
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_ledgerentry DISABLE TRIGGER ledger_entry_immutable")
        cursor.execute("ALTER TABLE usage_event DISABLE TRIGGER usage_event_immutable")
        cursor.execute("ALTER TABLE billing_grant DROP CONSTRAINT IF EXISTS grant_remaining")
        try:
            cursor.execute(f"{sql} AND {column} = %s", [organization.pk])
        except NotSupportedError as error:
            pytest.skip(f"Citus refuses this: {error}")
        assert cursor.rowcount > 0


def check() -> tuple[int, str]:
    """The exit code of check_ledger and its output."""
    printed = StringIO()
    try:
        call_command("check_ledger", stdout=printed)
    except SystemExit as exit:
        return int(str(exit.code)), printed.getvalue()
    return 0, printed.getvalue()


def test_good_books_pass(books: Organization) -> None:
    code, report = check()
    assert code == 0
    marks = [line[:4].strip() for line in report.splitlines()[:-1]]
    # The tests run as the owner of the tables, which is worth a warning and no difference.
    assert marks == ["ok"] * len(reconciliation.NAMES) + ["warn"] * len(privileges.warnings())
    assert report.endswith(f"{LedgerAccount.objects.count():,} accounts, 0 differences.\n")


@pytest.mark.parametrize(("sql", "broken"), CORRUPTIONS)
def test_a_corruption_is_found_by_its_check_and_no_other(books: Organization, sql: str, broken: set[str]) -> None:
    corrupt(books, sql)
    findings = reconciliation.run()
    assert {finding.check for finding in findings} == broken
    assert books.public_id in {finding.organization for finding in findings}


@pytest.mark.parametrize(("sql", "broken"), WHERE_RETIRED)
def test_what_is_retired_is_proved_by_what_is_left(books: Organization, sql: str, broken: set[str]) -> None:
    RetiredPartition.objects.create(month=months.month_of(timezone.now()))
    assert reconciliation.run() == []
    corrupt(books, sql)
    assert {finding.check for finding in reconciliation.run()} == broken


def test_what_is_after_the_last_retired_month_is_proved_in_full(books: Organization) -> None:
    RetiredPartition.objects.create(month=months.month_of(timezone.now() - timedelta(days=40)))
    corrupt(books, "UPDATE usage_endpointrollup SET requests = requests + 1 WHERE true")
    assert {finding.check for finding in reconciliation.run()} == {ENDPOINTS}


def test_every_check_has_a_corruption() -> None:
    """Those of payments and closed months have theirs in tests of their own."""
    checks = {check for _, broken in CORRUPTIONS + WHERE_RETIRED for check in broken}
    assert checks == {*ledger_checks.CHECKS, *usage_checks.CHECKS}


def test_a_difference_is_reported_with_its_organization_and_exit_code_1(books: Organization) -> None:
    corrupt(books, "UPDATE billing_ledgeraccount SET reserved = 5 WHERE true")
    code, report = check()
    assert code == 1
    assert (
        f"FAIL  {RESERVED}\n      {books.public_id}: reserved 5.000000000, open holds add up to 3.990000000" in report
    )
    assert report.endswith("accounts, 1 differences.\n")


def test_one_accounts_difference_is_not_made_good_by_anothers(books: Organization, charlie: Any) -> None:
    other = charlie.current_organization
    factories.credit(other, 50)
    corrupt(books, "UPDATE billing_ledgeraccount SET balance = balance - 1 WHERE true")
    corrupt(other, "UPDATE billing_ledgeraccount SET balance = balance + 1 WHERE true")
    assert {finding.organization for finding in reconciliation.run()} == {books.public_id, other.public_id}


def test_a_task_proves_the_books_once_a_day(books: Organization) -> None:
    proved = LedgerProof.objects.count()
    assert [tasks.prove_ledger(), tasks.prove_ledger()] == [True, False]
    assert LedgerProof.objects.count() == proved + 1
    LedgerProof.objects.update(
        started_at=F("started_at") - timedelta(days=1), finished_at=F("finished_at") - timedelta(days=1)
    )
    assert tasks.prove_ledger()
    assert "usage.tasks.prove_ledger" in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
