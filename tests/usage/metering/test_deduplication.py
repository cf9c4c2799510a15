"""The same id of the same organization is counted once within at least 35 days of its first arrival."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Organization
from tests import factories
from tests.usage.metering.batches import balance, event, next_month_starts, outcomes, record
from usage.models import UsageEvent
from usage.storage import partitions

SECOND = timedelta(seconds=1)
WINDOW = timedelta(days=35)

# A year whose months all have a partition: February has 28 days, so 35 days before March 5th are two borders away.
YEAR = 2030


@pytest.fixture
def year(db: None) -> None:
    partitions.ensure(datetime(YEAR, 1, 1, tzinfo=UTC), ahead=12)


def at(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(YEAR, month, day, hour, tzinfo=UTC)


def test_a_duplicate_changes_nothing(funded: Organization) -> None:
    sent = event(funded, id="once")
    record(sent)
    [again] = record(sent)
    assert (again.result, again.credits) == ("duplicate", Decimal(0))
    assert balance(funded) == Decimal("99.999")
    assert UsageEvent.objects.of(funded).count() == 1


def test_of_two_in_one_batch_the_first_is_counted(funded: Organization) -> None:
    results = record(event(funded, id="x", meter="sms"), event(funded, id="x", meter="voice"))
    assert [(r.result, r.credits) for r in results] == [("accepted", Decimal("0.01")), ("duplicate", Decimal(0))]
    assert balance(funded) == Decimal("99.99")


@pytest.mark.parametrize(
    "changed",
    [
        {"meter": "voice"}, {"quantity": 9}, {"endpoint": "/other"}, {"status": 500}, {"occurred_at": "2015-05-17"},
        {"properties": {"a": 1}},
    ],
)  # fmt: skip
def test_an_id_is_a_duplicate_whatever_its_other_fields_say(funded: Organization, changed: dict[str, Any]) -> None:
    record(event(funded, id="once"))
    assert outcomes(event(funded, id="once", **changed)) == ["duplicate"]
    assert balance(funded) == Decimal("99.999")


def test_an_id_is_an_organizations_whichever_key_sends_it(funded: Organization) -> None:
    first, second = factories.key(funded)[0], factories.key(funded, environment="test")[0]
    assert outcomes(event(first, id="x"), event(second, id="x"), event(funded, id="x")) == [
        "accepted",
        "duplicate",
        "duplicate",
    ]


def test_one_id_in_two_organizations_is_two_events(funded: Organization, charlie: Any) -> None:
    child = Organization.objects.create_child(funded, name="Child")
    owners = (funded, child, charlie.current_organization)
    assert outcomes(*(event(owner, id="x") for owner in owners)) == ["accepted"] * 3
    assert outcomes(*(event(owner, id="x") for owner in owners)) == ["duplicate"] * 3


@pytest.mark.parametrize(("first", "second"), [("x", "X"), ("x", "x "), ("é", "e\u0301")])
def test_ids_are_compared_to_the_letter(funded: Organization, first: str, second: str) -> None:
    assert outcomes(event(funded, id=first), event(funded, id=second)) == ["accepted"] * 2


def test_a_rejected_id_may_be_sent_again(funded: Organization) -> None:
    record(event(funded, id="x", quantity=-1))
    assert outcomes(event(funded, id="x")) == ["accepted"]


def test_an_id_rejected_in_a_batch_leaves_its_twin(funded: Organization) -> None:
    assert outcomes(event(funded, id="x", meter="fax"), event(funded, id="x")) == ["rejected", "accepted"]


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (at(1, 31, 23), at(2, 1, 0)),
        (at(12, 31, 23), at(12, 31, 23) + 2 * timedelta(hours=1)),
        (at(1, 29), at(3, 5) - SECOND),
        (at(2, 1), at(2, 1) + WINDOW),
        (at(5, 1), at(5, 31)),
        (at(3, 10), at(3, 10) + WINDOW - SECOND),
    ],
)
def test_an_id_is_remembered_across_months_for_35_days(
    year: None, funded: Organization, first: datetime, again: datetime
) -> None:
    record(event(funded, id="x"), at=first)
    assert outcomes(event(funded, id="x"), at=again) == ["duplicate"]
    assert balance(funded) == Decimal("99.999")


@pytest.mark.parametrize("first", [at(1, 29), at(3, 10), at(11, 30)])
def test_after_35_days_an_id_is_a_new_event(year: None, funded: Organization, first: datetime) -> None:
    record(event(funded, id="x"), at=first)
    assert outcomes(event(funded, id="x"), at=first + WINDOW + SECOND) == ["accepted"]
    assert balance(funded) == Decimal("99.998")


def test_the_days_are_counted_from_the_first_arrival(year: None, funded: Organization) -> None:
    """A duplicate in between does not lengthen them."""
    record(event(funded, id="x"), at=at(3, 1))
    record(event(funded, id="x"), at=at(3, 31))
    assert outcomes(event(funded, id="x"), at=at(4, 6)) == ["accepted"]


def test_the_days_are_of_arrival_and_not_of_what_the_event_says(year: None, funded: Organization) -> None:
    record(event(funded, id="x", occurred_at="2015-01-01"), at=at(3, 1))
    assert outcomes(event(funded, id="x", occurred_at="2029-12-31"), at=at(3, 2)) == ["duplicate"]


def test_a_clock_that_runs_behind_finds_what_came_after_the_border(funded: Organization) -> None:
    """Two servers' clocks around midnight: the event is in next month's partition already."""
    border = next_month_starts()
    record(event(funded, id="x"), at=border)
    assert outcomes(event(funded, id="x"), at=border - SECOND) == ["duplicate"]
