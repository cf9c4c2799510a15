"""A rebuild brings rollups, volumes and spending back to what the batches left, whatever was done to the tables."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import NotSupportedError, connection
from django.utils import timezone
from hypothesis import given

from accounts.lib import months
from accounts.models import Organization
from billing.ledger import corrections, holds
from billing.models import LedgerEntry, Spending
from tests import factories
from tests.concurrency import race
from tests.properties import search
from tests.usage.metering.batches import event, record
from tests.usage.metering.books import books, of, sent
from usage import metering
from usage.metering import voids
from usage.models import EndpointRollup, RetiredPartition, UsageRollup, Volume
from usage.storage import rebuild, reconciliation

DAMAGES = [
    "DELETE FROM usage_usagerollup",
    "DELETE FROM usage_endpointrollup",
    "DELETE FROM usage_volume",
    "UPDATE usage_usagerollup SET requests = requests + 1, credits = credits - 1",
    "UPDATE usage_endpointrollup SET failed = failed + 7, quantity = quantity * 2",
    "UPDATE usage_endpointrollup SET endpoint = endpoint || '/'",
    "UPDATE usage_usagerollup SET bucket = bucket + interval '1 hour'",
    "UPDATE usage_usagerollup SET environment = 'test'",
    "UPDATE usage_volume SET quantity = quantity + 1, requests = 0",
    "DELETE FROM billing_spending",
    "UPDATE billing_spending SET spent = spent + 1",
    "UPDATE billing_spending SET month = month + interval '1 year'",
]


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        try:
            cursor.execute(sql)
        except NotSupportedError as error:
            pytest.skip(f"Citus refuses this: {error}")


def figures(*organizations: Organization) -> list[Any]:
    """All that a rebuild computes, without rows of zeros."""
    rollup = ("organization", "account_id", "bucket", "meter", "key", "environment")
    sums = ("requests", "failed", "quantity", "credits")
    volume = ("account_id", "meter", "month", "quantity", "requests")
    ids = [organization.root_id for organization in organizations]
    return [
        set(UsageRollup.objects.filter(account_id__in=ids, requests__gt=0).values_list(*rollup, *sums)),
        set(EndpointRollup.objects.filter(account_id__in=ids, requests__gt=0).values_list(*rollup, "endpoint", *sums)),
        set(Volume.objects.filter(account_id__in=ids).values_list(*volume)),
        set(Spending.objects.filter(account_id__in=ids).exclude(spent=0).values_list("subject", "month", "spent")),
    ]


@pytest.fixture
def used(funded: Organization) -> Organization:
    """Usage of a key and of none, of a child that moved, of tests, in several quarters and months, failed, and voided;
    and captures, one of them reversed."""
    key, _ = factories.key(funded)
    test_key, _ = factories.key(funded, environment="test")
    child = Organization.objects.create_child(funded, name="Child")
    record(
        event(funded, endpoint="/a", quantity=3),
        event(key, endpoint="/a", status=500),
        event(key, endpoint="/b", occurred_at="2015-05-31T23:59:59Z", meter="sms"),
        event(key, endpoint="/b", occurred_at="2015-06-01T00:00:00Z", meter="sms"),
        event(child, occurred_at="2015-06-01T00:20:00Z", quantity=0),
        event(test_key),
        event(key, id="x", endpoint="/b"),
        event(child, id="y", occurred_at="2015-06-01T00:20:00Z"),
    )
    voids.void(funded, "x", reason="r", actor="", now=timezone.now())
    voids.void(child, "y", reason="r", actor="", now=timezone.now())
    for owner in (child, child, funded):
        holds.capture(
            holds.place(owner, amount=Decimal(1), ttl=timedelta(hours=1), now=timezone.now()), now=timezone.now()
        )
    corrections.reverse(LedgerEntry.objects.filter(kind="capture")[0], reason="r", actor="", now=timezone.now())
    factories.move(child, Organization.objects.create_child(funded, name="Aside"))
    record(event(child, quantity=2))
    return funded


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_was_damaged_is_as_it_was(used: Organization, damage: str) -> None:
    before = figures(used)
    run(damage)
    assert reconciliation.run() != []
    rebuild.rebuild()
    assert figures(used) == before
    assert reconciliation.run() == []


def test_what_is_right_is_not_written(used: Organization) -> None:
    rebuild.rebuild()  # takes away what stands at zero
    places = [list(table.objects.values_list("pk").order_by("pk")) for table in (UsageRollup, EndpointRollup)]
    rebuild.rebuild()
    assert places == [list(table.objects.values_list("pk").order_by("pk")) for table in (UsageRollup, EndpointRollup)]


def test_volumes_of_another_month_come_back(used: Organization) -> None:
    before = figures(used)
    run("UPDATE usage_volume SET month = month + interval '1 year'")
    rebuild.rebuild()
    assert figures(used) == before


def test_a_row_that_no_event_stands_behind_is_taken_away(used: Organization) -> None:
    stray = UsageRollup.objects.filter(organization=used)[0]
    stray.pk, stray.bucket = None, stray.bucket + timedelta(days=1)
    stray.save(force_insert=True)
    rebuild.rebuild()
    assert reconciliation.run() == []


@search(15)
@given(batch=sent)
def test_whatever_was_sent_rebuilding_changes_nothing(db: None, batch: list[Any]) -> None:
    organization = factories.organization()
    metering.record(of(organization, batch))
    before = books(organization), figures(organization)
    assert rebuild.rebuild([organization.pk]) == 1
    assert (books(organization), figures(organization)) == before


def test_the_months_are_those_of_the_payers_clocks(funded: Organization) -> None:
    Organization.objects.filter(pk=funded.pk).update(timezone="America/New_York")
    record(event(funded, occurred_at="2015-06-01T03:59:59Z"), event(funded, occurred_at="2015-06-01T04:00:00Z"))
    run("DELETE FROM usage_volume")
    rebuild.rebuild()
    months = Volume.objects.filter(account_id=funded.pk).values_list("month", "requests").order_by("month")
    assert list(months) == [(date(2015, 5, 1), 1), (date(2015, 6, 1), 1)]


def test_what_was_announced_of_a_budget_stays(used: Organization) -> None:
    Spending.objects.filter(account_id=used.pk).update(alerted=80, spent=7)
    rebuild.rebuild()
    assert set(Spending.objects.filter(account_id=used.pk).values_list("alerted", flat=True)) == {80}
    assert reconciliation.run() == []


def test_only_the_payers_that_are_named_are_rebuilt(used: Organization) -> None:
    other = factories.organization()
    record(event(other))
    right = figures(used)
    run("UPDATE usage_usagerollup SET requests = requests + 1")
    wrong = figures(other)
    child = Organization.objects.get(name="Child", root=used)
    assert rebuild.rebuild([child.pk]) == 1
    assert (figures(used), figures(other)) == (right, wrong)


def test_an_account_without_usage_is_nothing_to_do(organization: Organization) -> None:
    factories.credit(organization, 1)
    assert rebuild.rebuild([organization.pk]) == 1
    assert figures(organization) == [set(), set(), set(), set()]


class Killed(Exception):
    pass


def before_statement(start: str, act: Callable[[], object]) -> Callable[..., Any]:
    """For `connection.execute_wrapper`: act before a statement that starts so."""

    def wrapper(execute: Callable[..., Any], statement: str, *arguments: Any) -> Any:
        if statement.strip().startswith(start):
            act()
        return execute(statement, *arguments)

    return wrapper


def test_what_was_killed_halfway_is_finished_by_another_run(used: Organization) -> None:
    def die() -> None:
        raise Killed

    before = figures(used)
    run("UPDATE usage_usagerollup SET requests = requests + 1")
    run("UPDATE usage_endpointrollup SET requests = requests + 1")
    damaged = figures(used)
    with connection.execute_wrapper(before_statement("ANALYZE new_usagerollup", die)), pytest.raises(Killed):
        rebuild.rebuild()
    assert figures(used) == damaged
    rebuild.rebuild()
    assert figures(used) == before


@pytest.mark.parametrize("most", [1, 2, 200])
def test_however_many_payers_are_taken_together(db: None, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(rebuild, "MOST_PAYERS", most)
    payers = [factories.organization() for _ in range(5)]
    for n, payer in enumerate(payers):
        record(*(event(payer) for _ in range(n + 1)))
    before = figures(*payers)
    run("DELETE FROM usage_usagerollup")
    assert rebuild.rebuild([payer.pk for payer in payers]) == 5
    assert figures(*payers) == before


def test_who_has_much_usage_is_taken_alone(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "MOST_REQUESTS", 3)
    payers = [(factories.organization(), n) for n in (1, 2, 5, 1)]
    for payer, n in payers:
        record(*(event(payer) for _ in range(n)))
    batches = rebuild.batches([payer.pk for payer, _ in payers])
    assert [len(batch) for batch in batches] == [2, 1, 1]


@pytest.mark.usefixtures("committed")
def test_those_who_rebuild_while_others_record_agree() -> None:
    payers = [factories.organization() for _ in range(2)]
    record(*(event(payer, id="first") for payer in payers))
    calls = [partial(record, *(event(payers[n % 2], endpoint=f"/{n}") for n in range(30))) for _ in range(4)]
    race([*calls, *[partial(rebuild.rebuild, [payer.pk for payer in payers])] * 3])
    names = {payer.public_id for payer in payers}
    assert [finding for finding in reconciliation.run() if finding.organization in names] == []


@pytest.mark.usefixtures("committed")
def test_without_the_lock_what_is_recorded_meanwhile_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above: a batch commits after the events were read and before the rollups are written."""
    payer = factories.organization()
    record(event(payer, endpoint="/a"))
    monkeypatch.setattr(rebuild, "posting", SimpleNamespace(lock=lambda *arguments: None))
    with connection.execute_wrapper(
        before_statement("ANALYZE new_endpointrollup", lambda: race([partial(record, event(payer, endpoint="/a"))]))
    ):
        rebuild.rebuild([payer.pk])
    monkeypatch.undo()
    assert payer.public_id in {finding.organization for finding in reconciliation.run()}
    rebuild.rebuild([payer.pk])
    assert payer.public_id not in {finding.organization for finding in reconciliation.run()}


def test_the_command_says_how_many(used: Organization) -> None:
    run("DELETE FROM usage_usagerollup")
    printed = StringIO()
    call_command("rebuild_rollups", "--organization", used.public_id, stdout=printed)
    assert printed.getvalue() == "1 accounts rebuilt.\n"
    assert reconciliation.run() == []


def test_the_command_knows_what_is_no_organization(db: None) -> None:
    with pytest.raises(CommandError, match="acct_nobody"):
        call_command("rebuild_rollups", "--organization", "acct_nobody")


def test_of_what_is_retired_nothing_is_lowered_and_what_is_left_is_the_least(used: Organization) -> None:
    this_month = months.month_of(datetime.now(UTC))
    before = figures(used)
    RetiredPartition.objects.create(month=this_month)
    run("UPDATE usage_endpointrollup SET requests = requests + 5 WHERE endpoint = '/a'")
    run("DELETE FROM usage_endpointrollup WHERE endpoint = '/b'")
    run("UPDATE usage_usagerollup SET failed = 0, quantity = 0")
    raised = set(EndpointRollup.objects.filter(endpoint="/a").values_list("pk", "requests"))
    rebuild.rebuild()
    assert set(EndpointRollup.objects.filter(endpoint="/a").values_list("pk", "requests")) == raised
    RetiredPartition.objects.all().delete()
    rebuild.rebuild()
    assert figures(used) == before
