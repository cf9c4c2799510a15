"""Prices by tiers, with included quantities and by endpoint: counted by payer, meter and month, in order of arrival."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Event
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Organization
from billing.models import EndpointPrice, Meter, Plan, PlanAllowance, Price, PriceTier, Subscription
from tests import factories
from tests.concurrency import dont_lock, race
from tests.properties import search
from tests.usage.metering.batches import balance, event, outcomes, record, usage_entries
from usage import metering
from usage.metering import pricing
from usage.metering.pricing import Schedule, Tier
from usage.models import UsageEvent, Volume

MAY = "2015-05-17T10:05:00Z"
JUNE = "2015-06-17T10:05:00Z"


def tiered(*tiers: tuple[int | None, str], beyond: str = "1") -> Meter:
    """A meter of its own with a graduated price."""
    slug = factories.unique("tiered")
    meter = Meter.objects.create(slug=slug, name=slug, unit="piece")
    price = Price.objects.create(meter=meter, unit_amount=Decimal(beyond))
    for up_to, unit_amount in tiers:
        PriceTier.objects.create(price=price, up_to=up_to, unit_amount=Decimal(unit_amount))
    return meter


def include(organization: Organization, meter: Meter, quantity: int) -> Subscription:
    """A plan that includes so much of the meter, taken by the organization."""
    slug = factories.unique("plan")
    plan = Plan.objects.create(slug=slug, name=slug)
    PlanAllowance.objects.create(plan=plan, meter=meter, included_quantity=quantity)
    start = timezone.now()
    return Subscription.objects.create(
        organization=organization, plan=plan, current_period_start=start, current_period_end=start + timedelta(days=30)
    )


def charges(*batch: Any) -> list[Any]:
    return [result.credits for result in record(*batch)]


@pytest.fixture
def meter(db: None) -> Meter:
    """10 units for 3 credits each, 10 more for 2, and 1 for those beyond."""
    return tiered((10, "3"), (20, "2"))


def test_units_go_through_the_tiers_as_they_arrive(funded: Organization, meter: Meter) -> None:
    sent = [event(funded, meter=meter.slug, quantity=n, occurred_at=MAY) for n in (8, 4, 9, 1)]
    assert charges(*sent) == [24, 2 * 3 + 2 * 2, 8 * 2 + 1, 1]


def test_what_earlier_batches_used_counts(funded: Organization, meter: Meter) -> None:
    assert charges(event(funded, meter=meter.slug, quantity=12, occurred_at=MAY)) == [34]
    assert charges(event(funded, meter=meter.slug, quantity=10, occurred_at=MAY)) == [18]
    assert usage_entries(funded) == [(2, Decimal(-34)), (3, Decimal(-18))]


def test_each_month_counts_by_itself(funded: Organization, meter: Meter) -> None:
    sent = [event(funded, meter=meter.slug, quantity=10, occurred_at=at) for at in (MAY, JUNE, MAY)]
    assert charges(*sent) == [30, 30, 20]


def test_the_order_is_that_of_arrival_and_not_of_what_the_events_say(funded: Organization, meter: Meter) -> None:
    days = ("2015-05-20", "2015-05-10")
    assert charges(*(event(funded, meter=meter.slug, quantity=10, occurred_at=at) for at in days)) == [30, 20]


def test_the_month_is_that_of_the_payers_time_zone(meter: Meter) -> None:
    far = Organization.objects.create_root(name="Far", timezone="Pacific/Kiritimati")  # UTC+14
    child = Organization.objects.create_child(far, name="Child", timezone="UTC")
    sent = [(child, "2015-05-31T09:59:59Z"), (child, "2015-05-31T10:00:00Z"), (far, "2015-06-01T00:00:00Z")]
    assert charges(*(event(who, meter=meter.slug, quantity=10, occurred_at=at) for who, at in sent)) == [30, 30, 20]
    months = Volume.objects.filter(account_id=far.pk).order_by("month").values_list("month", "quantity")
    assert [(f"{month:%Y-%m}", quantity) for month, quantity in months] == [
        ("2015-05", Decimal(10)),
        ("2015-06", Decimal(20)),
    ]


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Amsterdam", "Asia/Tokyo"])
def test_the_first_of_all_moments_is_in_a_month_as_well(zone: str, meter: Meter) -> None:
    ancient = Organization.objects.create_root(name="Ancient", timezone=zone)
    sent = [event(ancient, meter=meter.slug, quantity=10, occurred_at="0001-01-01T00:00:00Z") for _ in range(2)]
    assert charges(*sent) == [30, 20]


def test_the_whole_tree_counts_together_and_others_apart(funded: Organization, meter: Meter) -> None:
    child, other = Organization.objects.create_child(funded, name="Child"), factories.organization()
    key, _ = factories.key(child)
    sent = [event(who, meter=meter.slug, quantity=10, occurred_at=MAY) for who in (funded, child, key, other)]
    assert charges(*sent) == [30, 20, 10, 30]


def test_a_test_key_neither_pays_nor_counts(funded: Organization, meter: Meter) -> None:
    key, _ = factories.key(funded, environment="test")
    sent = [event(who, meter=meter.slug, quantity=10, occurred_at=MAY) for who in (key, funded)]
    assert charges(*sent) == [0, 30]


def test_a_failed_request_counts_like_another(funded: Organization, meter: Meter) -> None:
    assert charges(*(event(funded, meter=meter.slug, quantity=10, status=500) for _ in range(2))) == [30, 20]


def test_a_duplicate_uses_up_nothing(funded: Organization, meter: Meter) -> None:
    first = event(funded, meter=meter.slug, quantity=10, occurred_at=MAY)
    again = event(funded, meter=meter.slug, quantity=5, occurred_at=MAY)
    record(first)
    assert charges(first, again, again) == [0, 10, 0]
    assert charges(event(funded, meter=meter.slug, quantity=6, occurred_at=MAY)) == [5 * 2 + 1]


def test_what_is_refused_for_its_charge_uses_up_nothing_and_leaves_its_twin(funded: Organization) -> None:
    dear = tiered((10, "500000000"), beyond="1")
    over = event(funded, id="x", meter=dear.slug, quantity=3, occurred_at=MAY)
    results = record(over, event(funded, id="x", meter=dear.slug, quantity=2, occurred_at=MAY))
    assert [(result.result, result.code, result.credits) for result in results] == [
        ("rejected", "invalid", 0),
        ("accepted", "", Decimal(10**9)),
    ]
    assert Volume.objects.get(account_id=funded.pk, meter=dear).quantity == 2


def test_included_units_are_free_and_come_first(funded: Organization, meter: Meter) -> None:
    include(funded, meter, 5)
    sent = [event(funded, meter=meter.slug, quantity=n, occurred_at=MAY) for n in (3, 4, 10)]
    assert charges(*sent) == [0, 2 * 3, 8 * 3 + 2 * 2]


def test_included_units_of_a_flat_price(funded: Organization) -> None:
    include(funded, Meter.objects.get(slug="sms"), 100)
    assert charges(*(event(funded, meter="sms", quantity=60, occurred_at=MAY) for _ in range(2))) == [0, Decimal("0.2")]
    assert usage_entries(funded) == [(2, Decimal("-0.2"))]


def test_a_plan_that_was_left_includes_nothing(funded: Organization, meter: Meter) -> None:
    Subscription.objects.filter(pk=include(funded, meter, 5).pk).update(status="canceled")
    assert charges(event(funded, meter=meter.slug, quantity=5, occurred_at=MAY)) == [15]


def test_a_plan_that_is_taken_in_the_month_counts_what_was_used_before_it(funded: Organization, meter: Meter) -> None:
    record(event(funded, meter=meter.slug, quantity=3, occurred_at=MAY))
    include(funded, meter, 5)
    assert charges(event(funded, meter=meter.slug, quantity=3, occurred_at=MAY)) == [3]


def test_anothers_plan_includes_nothing_for_me(funded: Organization, meter: Meter) -> None:
    include(funded, meter, 5)
    other = factories.organization()
    assert charges(*(event(who, meter=meter.slug, quantity=5) for who in (funded, other))) == [0, 15]


def test_an_endpoint_has_its_own_price(funded: Organization) -> None:
    sms = Meter.objects.get(slug="sms")
    EndpointPrice.objects.create(meter=sms, endpoint="/premium", unit_amount=2)
    sent = [event(funded, meter="sms", quantity=3, endpoint=at) for at in ("/premium", "/premium/", "")]
    assert charges(*sent, event(funded, meter="voice", endpoint="/premium")) == [
        6, Decimal("0.03"), Decimal("0.03"), Decimal("0.02"),
    ]  # fmt: skip


def test_units_of_an_endpoint_with_its_own_price_count_for_the_tiers(funded: Organization, meter: Meter) -> None:
    EndpointPrice.objects.create(meter=meter, endpoint="/premium", unit_amount=7)
    sent = [event(funded, meter=meter.slug, quantity=10, endpoint=at, occurred_at=MAY) for at in ("", "/premium", "")]
    assert charges(*sent) == [30, 70, 10]


def test_included_units_are_free_at_an_endpoint_with_its_own_price(funded: Organization, meter: Meter) -> None:
    EndpointPrice.objects.create(meter=meter, endpoint="/premium", unit_amount=7)
    include(funded, meter, 5)
    sent = [event(funded, meter=meter.slug, quantity=4, endpoint="/premium", occurred_at=MAY) for _ in range(2)]
    assert charges(*sent) == [0, 3 * 7]


def test_flat_and_tiered_meters_in_one_batch_are_one_entry(funded: Organization, meter: Meter) -> None:
    assert charges(event(funded), event(funded, meter=meter.slug, quantity=10)) == [Decimal("0.001"), 30]
    assert usage_entries(funded) == [(2, Decimal("-30.001"))]


def test_at_the_months_border_of_arrival_a_duplicate_uses_up_nothing(funded: Organization, meter: Meter) -> None:
    first = event(funded, meter=meter.slug, quantity=10, occurred_at=MAY)
    arrived = datetime.now(UTC)
    record(first, at=arrived)
    later = arrived + timedelta(days=34)
    again = [result.credits for result in record(first, event(funded, meter=meter.slug, occurred_at=MAY), at=later)]
    assert again == [0, 2]


sent = st.lists(
    st.fixed_dictionaries(
        {
            "quantity": st.decimals(min_value=0, max_value=12, places=2),
            "occurred_at": st.sampled_from([MAY, JUNE]),
            "endpoint": st.sampled_from(["", "/premium"]),
        }
    ),
    min_size=1,
    max_size=12,
)


def books(organization: Organization) -> tuple[Any, ...]:
    events = set(UsageEvent.objects.of(organization).values_list("id", "credits", "quantity"))
    volumes = set(Volume.objects.filter(account_id=organization.pk).values_list("month", "quantity"))
    return balance(organization), events, volumes


@search(20)
@given(batch=sent, data=st.data())
def test_split_merged_and_replayed_in_order_they_are_the_same_books(db: None, batch: list[Any], data: Any) -> None:
    meter = tiered((10, "3.333333333"), (20, "2.1"), beyond="0.7")
    EndpointPrice.objects.create(meter=meter, endpoint="/premium", unit_amount=7)
    whole, parted = factories.organization(), factories.organization()
    for organization in (whole, parted):
        include(organization, meter, 4)

    def of(organization: Organization) -> list[Any]:
        return [event(organization, **{"id": f"e{n}", "meter": meter.slug, **fields}) for n, fields in enumerate(batch)]

    metering.record(of(whole))
    rest = of(parted)
    done: list[Any] = []
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        part, rest = rest[:size], rest[size:]
        again = data.draw(st.lists(st.sampled_from(done), max_size=3)) if done else []
        metering.record(again + part)
        done += part
    metering.record(done)
    assert books(whole) == books(parted)


@search(20)
@given(quantities=st.lists(st.decimals(min_value=0, max_value=12, places=2), min_size=1, max_size=8))
def test_what_a_month_is_charged_is_what_its_quantity_costs(db: None, quantities: list[Decimal]) -> None:
    meter, payer = tiered((10, "3"), (20, "2")), factories.organization()
    record(*(event(payer, meter=meter.slug, quantity=str(n), occurred_at=MAY) for n in quantities))
    schedule = Schedule(Decimal(1), (Tier(Decimal(10), Decimal(3)), Tier(Decimal(20), Decimal(2))))
    assert -balance(payer) == pricing.total(schedule, sum(quantities, Decimal(0)))


@pytest.fixture
def payer(committed: None) -> Organization:
    return factories.organization()


def test_batches_at_once_go_through_the_tiers_one_after_the_other(payer: Organization) -> None:
    meter = tiered((10, "3"), (20, "2"))
    batches = [[event(payer, meter=meter.slug, occurred_at=MAY) for _ in range(5)] for _ in range(8)]
    assert race([partial(outcomes, *batch) for batch in batches]) == [["accepted"] * 5] * 8
    assert balance(payer) == -(30 + 20 + 20)


def charged_while_another_is_on_its_way(payer: Organization, meter: Meter) -> Any:
    """What ten units cost when ten others are recorded, but not committed. They are taken back, to leave good books."""
    recorded = Event()
    record(event(payer))  # opens the ledger, which one would wait for

    def first() -> None:
        with transaction.atomic():
            record(event(payer, meter=meter.slug, quantity=10, occurred_at=MAY))
            recorded.set()
            time.sleep(0.2)

    def second() -> list[Any]:
        recorded.wait(timeout=30)
        with transaction.atomic():
            charged = charges(event(payer, meter=meter.slug, quantity=10, occurred_at=MAY))
            transaction.set_rollback(True)
        return charged

    return race([first, second])[1]


def test_a_batch_counts_what_another_that_was_first_used(payer: Organization) -> None:
    assert charged_while_another_is_on_its_way(payer, tiered((10, "3"), (20, "2"))) == [20]


def test_without_the_lock_both_would_use_the_first_tier(payer: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above."""
    dont_lock(monkeypatch)
    assert charged_while_another_is_on_its_way(payer, tiered((10, "3"), (20, "2"))) == [30]
