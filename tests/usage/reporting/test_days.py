"""Totals of each day of a time zone."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tests import factories
from tests.usage.metering.batches import event, record
from usage.reporting import totals
from usage.reporting.totals import NOTHING

START = datetime(2015, 5, 17, 18, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Auckland"])
def test_the_days_add_up_to_the_totals_in_every_zone(db: None, zone: str) -> None:
    organization = factories.organization()
    moments = [START + timedelta(minutes=7 * n) for n in range(60)]
    record(*(event(organization, occurred_at=at.isoformat(), quantity=n) for n, at in enumerate(moments)))
    span = (START + timedelta(minutes=8), START + timedelta(minutes=400, seconds=1))
    days = totals.by_day(organization, *span, zone)
    assert sum(days.values(), NOTHING) == totals.of(organization, *span)
    assert len(days) <= 2


def test_a_request_before_midnight_belongs_to_the_day_before(db: None) -> None:
    organization = factories.organization()
    midnight = datetime(2015, 5, 17, 18, 15, tzinfo=UTC)  # in Kathmandu
    record(*(event(organization, occurred_at=(midnight + n * timedelta.resolution).isoformat()) for n in (-1, 0)))
    days = totals.by_day(organization, START, midnight + timedelta(minutes=5), "Asia/Kathmandu")
    assert {day: used.requests for day, used in days.items()} == {date(2015, 5, 17): 1, date(2015, 5, 18): 1}


def test_idle_days_are_there_too(db: None) -> None:
    days = totals.by_day(factories.organization(), START, START + timedelta(days=3), "UTC")
    assert list(days) == [date(2015, 5, 17 + n) for n in range(4)]
    assert set(days.values()) == {NOTHING}


def test_a_range_that_ends_at_midnight_does_not_begin_another_day(db: None) -> None:
    first = datetime(2015, 5, 1, tzinfo=UTC)
    assert len(totals.by_day(factories.organization(), first, first + timedelta(days=31), "UTC")) == 31
