"""The other figures that a batch adds to: the spending of keys and nodes in a month, and the volume of a meter."""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Sum
from django.utils import timezone

from accounts.models import Organization
from apikeys.models import ApiKey
from billing import organizations
from billing.models import LedgerAccount, Spending
from tests import factories
from tests.concurrency import race
from tests.usage.metering.batches import event, record
from usage.metering import voids
from usage.models import UsageRollup, Volume
from usage.storage import reconciliation

MAY, JUNE = date(2015, 5, 1), date(2015, 6, 1)
IN_MAY, IN_JUNE = "2015-05-31T23:59:59Z", "2015-06-01T00:00:00Z"


def spent(payer: Organization, subject: UUID, month: date = MAY) -> Any:
    rows = Spending.objects.filter(account_id=payer.pk, subject=subject, month=month)
    return rows.aggregate(total=Sum("spent"))["total"]


def volumes(payer: Organization) -> dict[tuple[str, date], Any]:
    rows = Volume.objects.filter(account_id=payer.pk).values_list("meter__slug", "month", "quantity")
    return {(meter, month): quantity for meter, month, quantity in rows}


@pytest.fixture
def at_months_end() -> datetime:
    """The first hour of this month in UTC, which is still the month before in New York."""
    return datetime.now(UTC).replace(day=1, hour=0, minute=30, second=0, microsecond=0)


@pytest.fixture
def child(funded: Organization) -> Organization:
    return Organization.objects.create_child(funded, name="Child")


def test_usage_is_spent_by_the_key_and_by_every_node_above_it(funded: Organization, child: Organization) -> None:
    grandchild = Organization.objects.create_child(child, name="Grandchild")
    key, _ = factories.key(grandchild)
    record(event(key, occurred_at=IN_MAY, meter="sms"), event(child, occurred_at=IN_MAY))
    assert [spent(funded, subject.pk) for subject in (key, grandchild)] == [Decimal("0.01")] * 2
    assert [spent(funded, subject.pk) for subject in (child, funded)] == [Decimal("0.011")] * 2


def test_each_batch_adds_to_what_was_spent(funded: Organization) -> None:
    for _ in range(3):
        record(event(funded, occurred_at=IN_MAY))
    assert spent(funded, funded.pk) == Decimal("0.003")


def test_usage_is_spent_in_the_month_in_which_it_occurred(funded: Organization) -> None:
    record(event(funded, occurred_at=IN_MAY), event(funded, occurred_at=IN_JUNE, meter="sms"))
    assert (spent(funded, funded.pk, MAY), spent(funded, funded.pk, JUNE)) == (Decimal("0.001"), Decimal("0.01"))


def test_the_month_is_that_of_the_payers_time_zone_whatever_the_childs(db: None) -> None:
    payer = Organization.objects.create_root(name="Payer", timezone="America/New_York")
    child = Organization.objects.create_child(payer, name="Child", timezone="Asia/Tokyo")
    record(event(child, occurred_at="2015-06-01T03:59:59Z"), event(child, occurred_at="2015-06-01T04:00:00Z"))
    assert [spent(payer, child.pk, month) for month in (MAY, JUNE)] == [Decimal("0.001")] * 2


@pytest.mark.parametrize(
    ("zone", "offset"),
    [
        ("Asia/Kathmandu", "+05:45"),
        ("Pacific/Chatham", "+12:45"),
        ("America/St_Johns", "-02:30"),
        ("Etc/GMT+12", "-12:00"),
    ],
)
def test_a_month_begins_at_local_midnight_in_any_zone(db: None, zone: str, offset: str) -> None:
    payer = Organization.objects.create_root(name="Payer", timezone=zone)
    record(event(payer, occurred_at=f"2015-05-31T23:59:59{offset}", meter="sms"))
    record(event(payer, occurred_at=f"2015-06-01T00:00:00{offset}"))
    assert (spent(payer, payer.pk, MAY), spent(payer, payer.pk, JUNE)) == (Decimal("0.01"), Decimal("0.001"))


def test_volumes_count_live_quantities_by_payer_meter_and_month(funded: Organization, child: Organization) -> None:
    test_key, _ = factories.key(funded, environment="test")
    moments: list[tuple[Any, str]] = [(funded, IN_MAY), (child, IN_MAY), (test_key, IN_MAY), (funded, IN_JUNE)]
    record(*(event(who, quantity="2.5", occurred_at=at) for who, at in moments))
    assert volumes(funded) == {("requests", MAY): 5, ("requests", JUNE): Decimal("2.5")}


def test_a_duplicate_counts_nowhere(funded: Organization) -> None:
    sent = event(funded, occurred_at=IN_MAY)
    record(sent, sent)
    record(sent)
    assert (spent(funded, funded.pk), volumes(funded)) == (Decimal("0.001"), {("requests", MAY): 1})


def test_what_costs_nothing_is_spent_by_nobody(funded: Organization) -> None:
    record(event(factories.key(funded, environment="test")[0]), event(funded, quantity=0))
    assert not Spending.objects.filter(account_id=funded.pk).exists()


def test_each_payer_counts_by_itself(funded: Organization) -> None:
    other = factories.organization()
    record(*(event(who, occurred_at=IN_MAY) for who in (funded, other, funded)))
    assert (spent(funded, funded.pk), spent(other, other.pk)) == (Decimal("0.002"), Decimal("0.001"))
    assert (volumes(funded), volumes(other)) == ({("requests", MAY): 2}, {("requests", MAY): 1})


def test_batches_at_once_add_up_and_agree_with_the_rollups(committed: None) -> None:
    payers = [factories.organization() for _ in range(3)]
    keys: list[ApiKey] = [factories.key(payer)[0] for payer in payers]
    batches = [[event(keys[(n + turn) % 3], occurred_at=IN_MAY) for n in range(30)] for turn in range(8)]
    race([partial(record, *batch) for batch in batches])
    for payer, key in zip(payers, keys, strict=True):
        rolled_up = UsageRollup.objects.of(payer).aggregate(credits=Sum("credits"), quantity=Sum("quantity"))
        assert spent(payer, payer.pk) == spent(payer, key.pk) == rolled_up["credits"] == Decimal("0.08")
        assert volumes(payer) == {("requests", MAY): rolled_up["quantity"]}
    assert reconciliation.run() == []


def test_first_events_of_many_payers_at_once_open_their_ledgers_without_a_deadlock(committed: None) -> None:
    """Each batch has payers that have a ledger before and after those that have none."""
    for _ in range(5):
        payers = sorted((factories.organization() for _ in range(6)), key=lambda payer: payer.pk)
        record(*(event(payer) for payer in payers[::2]))
        batches = [[event(payers[(n * step) % 6]) for n in range(6)] for step in (1, 5) * 3]
        results = race([partial(record, *batch) for batch in batches])
        assert [error for error in results if isinstance(error, Exception)] == []


def test_what_was_counted_before_a_change_of_time_zone_is_taken_off_where_it_was_counted(
    funded: Organization, at_months_end: datetime
) -> None:
    """The last hour of May in New York is June in Kathmandu: the event counts in May, and so does its void."""
    organizations.change_timezone(funded, "America/New_York", now=timezone.now())
    LedgerAccount.objects.filter(pk=funded.pk).update(zones=[["America/New_York", None]])
    record(event(funded, id="x", meter="sms", quantity=100), at=at_months_end)
    month = at_months_end.astimezone(ZoneInfo("America/New_York")).date().replace(day=1)
    assert volumes(funded) == {("sms", month): 100}
    organizations.change_timezone(funded, "Asia/Kathmandu", now=timezone.now())
    voids.void(funded, "x", reason="wrong", actor="test", now=timezone.now())
    assert volumes(funded) == {("sms", month): 0}
    assert spent(funded, funded.pk, month) == 0
    assert Spending.objects.filter(account_id=funded.pk, spent__lt=0).count() == 0
