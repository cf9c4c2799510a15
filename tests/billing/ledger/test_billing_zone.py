"""The history of a payer's time zone: no moment is in two months or in none, whatever is changed and when."""

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.lib import months, quarters
from accounts.models import Organization
from billing import organizations
from billing.ledger import billing_zone, posting
from billing.ledger.billing_zone import AHEAD, ALWAYS, BillingZone
from billing.models import LedgerAccount
from tests import factories
from tests.properties import search

# From 12 hours behind UTC to 14 ahead, with and without daylight saving time, and with odd offsets.
ZONES = [
    *("Etc/GMT+12", "Pacific/Honolulu", "America/St_Johns", "UTC", "Europe/Paris", "Asia/Kathmandu"),
    *("Pacific/Chatham", "Pacific/Kiritimati"),
]
OCTOBER, NOVEMBER, DECEMBER = date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def always(name: str) -> BillingZone:
    return BillingZone(((ALWAYS, name),))


changes = st.lists(
    st.tuples(st.sampled_from(ZONES), st.integers(0, 60 * 24 * 100).map(lambda n: timedelta(minutes=n))), max_size=6
)


@search(40)
@given(first=st.sampled_from(ZONES), changes=changes)
def test_months_follow_each_other_without_gap_or_overlap(first: str, changes: list[tuple[str, timedelta]]) -> None:
    zone, start = always(first), at("2026-09-20")
    for name, after in sorted(changes, key=lambda change: change[1]):
        zone = zone.changed(name, start + after)
    numbers = range(quarters.number_of(start), quarters.number_of(start + timedelta(days=140)))
    counted = [zone.month_of_quarter(number) for number in numbers]
    for month, following in pairwise(counted):
        assert following in (month, months.shift(month, 1))
    starts = [(month, quarters.start_of(number)) for month, number in zip(counted, numbers, strict=True)]
    for month in sorted(set(counted))[1:-1]:
        bounds = zone.bounds(month)
        inside = [start for its_month, start in starts if its_month == month]
        assert bounds == (inside[0], inside[-1] + quarters.QUARTER)


@search(40)
@given(first=st.sampled_from(ZONES), changes=changes)
def test_no_change_moves_what_may_be_counted_already(first: str, changes: list[tuple[str, timedelta]]) -> None:
    zone, start = always(first), at("2026-09-20")
    for name, after in sorted(changes, key=lambda change: change[1]):
        now, changed = start + after, zone.changed(name, start + after)
        for hours in range(-40 * 24, 3):
            moment = now + timedelta(hours=min(hours, AHEAD / timedelta(hours=1)))
            assert changed.month_of(moment) == zone.month_of(moment)
        zone = changed


def test_a_change_counts_from_the_next_turn_of_the_month() -> None:
    zone = always("UTC").changed("Pacific/Honolulu", at("2026-10-15T12:00"))  # ten hours behind
    assert zone.month_of(at("2026-10-31T23:59:59")) == OCTOBER
    assert zone.month_of(at("2026-11-01T09:59:59")) == OCTOBER
    assert zone.month_of(at("2026-11-01T10:00")) == NOVEMBER
    assert zone.bounds(OCTOBER) == (at("2026-10-01"), at("2026-11-01T10:00"))
    assert zone.bounds(NOVEMBER) == (at("2026-11-01T10:00"), at("2026-12-01T10:00"))


def test_a_change_to_the_east_begins_the_next_month_where_the_old_zone_did() -> None:
    zone = always("UTC").changed("Asia/Kathmandu", at("2026-10-15T12:00"))
    assert zone.bounds(OCTOBER) == (at("2026-10-01"), at("2026-11-01"))
    assert zone.bounds(NOVEMBER) == (at("2026-11-01"), at("2026-11-30T18:15"))


def test_a_change_just_before_the_turn_waits_for_the_one_after() -> None:
    """An event an hour ahead may be counted in November already."""
    zone = always("UTC").changed("Pacific/Honolulu", at("2026-10-31T23:30"))
    assert zone.month_of(at("2026-11-01T00:15")) == NOVEMBER
    assert zone.bounds(NOVEMBER) == (at("2026-11-01"), at("2026-12-01T10:00"))


def test_the_last_of_several_changes_before_the_turn_counts() -> None:
    zone = always("UTC").changed("Asia/Kathmandu", at("2026-10-10")).changed("Pacific/Honolulu", at("2026-10-20"))
    assert zone == always("UTC").changed("Pacific/Honolulu", at("2026-10-20"))
    assert zone.changed("UTC", at("2026-10-21")) == always("UTC")


def test_a_month_that_the_clocks_begin_twice_begins_once() -> None:
    """In St. John's, it was 0:01 on 1 November and then 23:01 on 31 October."""
    zone = always("America/St_Johns")
    assert zone.month_of(at("2009-11-01T02:29")) == date(2009, 10, 1)
    assert zone.month_of(at("2009-11-01T02:30")) == date(2009, 11, 1)
    assert zone.month_of(at("2009-11-01T02:45")) == date(2009, 11, 1)
    assert zone.bounds(date(2009, 11, 1))[0] == at("2009-11-01T02:30")


def test_it_is_stored_and_read_again() -> None:
    zone = always("UTC").changed("Asia/Kathmandu", at("2026-10-10"))
    assert zone.stored() == [["UTC", None], ["Asia/Kathmandu", "2026-11-01T00:00:00+00:00"]]
    assert billing_zone.parse("Europe/Paris", json.dumps(zone.stored())) == zone
    assert billing_zone.parse("Europe/Paris", "[]") == always("Europe/Paris")


@pytest.mark.parametrize("opened", [True, False])
def test_changing_a_payers_time_zone_keeps_the_one_before(organization: Organization, opened: bool) -> None:
    if opened:
        factories.credit(organization, 1)
    organizations.change_timezone(organization, "Asia/Kathmandu", now=timezone.now())
    [first, second] = LedgerAccount.objects.get(pk=organization.pk).zones
    assert (first, second[0]) == (["UTC", None], "Asia/Kathmandu")
    assert Organization.objects.get(pk=organization.pk).timezone == "Asia/Kathmandu"
    assert posting.lock([organization.pk], timezone.now())[organization.pk].zone == billing_zone.of(organization)


def test_a_childs_time_zone_is_no_matter_of_the_payers(funded: Organization) -> None:
    child: Any = Organization.objects.create_child(funded, name="Child")
    organizations.change_timezone(child, "Asia/Kathmandu", now=timezone.now())
    assert LedgerAccount.objects.get(pk=funded.pk).zones == []
    assert Organization.objects.get(pk=child.pk).timezone == "Asia/Kathmandu"
    assert billing_zone.of(child) == always("UTC")
