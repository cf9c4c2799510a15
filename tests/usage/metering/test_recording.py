"""The effects of a batch of events: charges, counts, refusals."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts import people
from accounts.lib.money import ZERO
from accounts.models import Organization
from apikeys import keys
from apikeys.models import ApiKey
from billing.models import LedgerAccount, LedgerEntry, Meter, Price, PriceTier
from tests import factories
from tests.usage.metering.batches import balance, event, outcomes, record, usage_entries
from usage import metering
from usage.models import EndpointRollup, UsageEvent, UsageRollup
from usage.reporting import totals

EXACT = Decimal("0.1234567890123456789")  # no float has so many digits
EVER = (datetime(1, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))


@pytest.fixture
def key(funded: Organization) -> ApiKey:
    return factories.key(funded)[0]


def used(organization: Organization, environment: str = "live") -> tuple[int, int, Decimal]:
    sums = totals.of(organization, *EVER, environment)
    return sums.requests, sums.failed, sums.credits


def traces(organization: Organization) -> tuple[int, int, int, Decimal]:
    """Events, rollups of both kinds, and the balance: what must not change on a refusal."""
    counts = [rows.objects.of(organization).count() for rows in (UsageEvent, UsageRollup, EndpointRollup)]
    return counts[0], counts[1], counts[2], balance(organization)


def price(meter: str, unit_amount: str | None) -> str:
    """A meter of its own with this price; its slug."""
    made = Meter.objects.create(slug=meter, name=meter, unit="piece")
    if unit_amount is not None:
        Price.objects.create(meter=made, unit_amount=Decimal(unit_amount))
    return meter


def test_an_event_is_charged_metered_and_rolled_up(funded: Organization, key: ApiKey) -> None:
    [result] = record(event(key, meter="sms", quantity=3, endpoint="/v1/messages"))
    assert (result.result, result.credits) == ("accepted", Decimal("0.03"))
    assert usage_entries(funded) == [(2, Decimal("-0.03"))]
    assert balance(funded) == Decimal("99.97")
    assert used(funded) == (1, 0, Decimal("0.03"))
    assert totals.by_endpoint(funded, *EVER) == {"/v1/messages": 1}


def test_a_closed_payer_takes_no_new_usage(funded: Organization, key: ApiKey) -> None:
    child = people.add_child(funded, name="Child")
    PriceTier.objects.create(price=Meter.objects.get(slug=price("tiered", "1")).price, up_to=None, unit_amount=2)
    sent = event(key, id="before")
    record(sent)
    LedgerAccount.objects.filter(pk=funded.pk).update(closed_at=timezone.now())
    before = traces(funded)
    results = record(sent, *(event(row, meter=meter) for row in (funded, child) for meter in ("sms", "tiered")))
    assert [result.result for result in results] == ["duplicate"] + ["rejected"] * 4
    assert {result.code for result in results[1:]} == {"organization_closed"}
    assert traces(funded) == before


def test_an_event_keeps_what_it_said(funded: Organization, key: ApiKey) -> None:
    fields = {"quantity": "2.5", "status": 404, "endpoint": "/a", "properties": {"a": [1, "ü"], "n": EXACT}}
    record(event(key, id="e1", meter="voice", occurred_at="2015-05-17T10:05:03.5Z", **fields))
    kept = UsageEvent.objects.of(funded).get()
    assert (kept.id, kept.key, kept.meter.slug, kept.endpoint) == ("e1", key, "voice", "/a")
    assert (kept.quantity, kept.failed, kept.credits) == (Decimal("2.5"), True, Decimal("0.05"))
    assert kept.occurred_at == datetime(2015, 5, 17, 10, 5, 3, 500000, tzinfo=UTC)
    assert kept.properties == {"a": [1, "ü"], "n": EXACT}


@pytest.mark.parametrize(
    "moment",
    ["0001-01-01T00:00:00.000001", "1969-12-31T23:59:59.999999", "1970-01-01T00:00:00", "2015-05-17T10:14:59.999999"],
)
def test_a_moment_is_kept_to_the_microsecond_and_lands_in_its_quarter(
    funded: Organization, key: ApiKey, moment: str
) -> None:
    record(event(key, occurred_at=f"{moment}Z"))
    occurred_at = datetime.fromisoformat(f"{moment}Z")
    assert UsageEvent.objects.of(funded).get().occurred_at == occurred_at
    quarter = occurred_at.replace(minute=occurred_at.minute // 15 * 15, second=0, microsecond=0)
    assert UsageRollup.objects.of(funded).get().bucket == quarter


def test_an_events_entry_seq_is_the_entry_that_it_was_charged_with(funded: Organization, key: ApiKey) -> None:
    record(event(key, id="a"), event(key, id="b"))
    factories.credit(funded, 1)
    record(event(key, id="c"))
    assert dict(UsageEvent.objects.of(funded).values_list("id", "entry_seq")) == {"a": 2, "b": 2, "c": 4}
    assert usage_entries(funded) == [(2, Decimal("-0.002")), (4, Decimal("-0.001"))]


def test_a_batch_is_one_entry_and_one_result_an_event_in_order(funded: Organization, key: ApiKey) -> None:
    results = record(event(key, id="b"), event(key, id="a", meter="sms"), event(funded, id="c", meter="voice"))
    assert [(r.id, r.credits) for r in results] == [
        ("b", Decimal("0.001")),
        ("a", Decimal("0.01")),
        ("c", Decimal("0.02")),
    ]
    assert usage_entries(funded) == [(2, Decimal("-0.031"))]


def test_a_thousand_events_are_one_batch(funded: Organization, key: ApiKey) -> None:
    assert outcomes(*(event(key) for _ in range(1000))) == ["accepted"] * 1000
    assert usage_entries(funded) == [(2, Decimal(-1))]


def test_usage_goes_on_into_debt(funded: Organization) -> None:
    assert outcomes(event(funded, quantity=200_000)) == ["accepted"]
    assert balance(funded) == -100


def test_without_a_billing_account_the_ledger_starts_at_zero(organization: Organization) -> None:
    assert not LedgerAccount.objects.of(organization).exists()
    record(event(organization))
    assert usage_entries(organization) == [(1, Decimal("-0.001"))]
    assert balance(organization) == Decimal("-0.001")


def test_a_failed_request_is_charged_like_another(funded: Organization, key: ApiKey) -> None:
    record(event(key, status=500), event(key, status="failed"), event(key, status=204))
    assert used(funded) == (3, 2, Decimal("0.003"))


@pytest.mark.parametrize(("quantity", "meter"), [(0, "requests"), (5, "free"), (5, "unpriced")])
def test_what_costs_nothing_is_counted_and_makes_no_entry(funded: Organization, quantity: int, meter: str) -> None:
    price("free", "0")
    price("unpriced", None)
    assert outcomes(event(funded, quantity=quantity, meter=meter)) == ["accepted"]
    assert used(funded) == (1, 0, Decimal(0))
    assert UsageEvent.objects.of(funded).get().entry_seq is None
    assert usage_entries(funded) == []


@pytest.mark.parametrize(
    ("quantity", "charged"),
    [("0.5", "0"), ("1.5", "0.000000002"), ("2.5", "0.000000002"), ("2.500000001", "0.000000003")],
)
def test_a_charge_is_rounded_half_even(funded: Organization, quantity: str, charged: str) -> None:
    price("tiny", "0.000000001")
    [result] = record(event(funded, meter="tiny", quantity=quantity))
    assert result.credits == Decimal(charged)
    assert balance(funded) == 100 - Decimal(charged)


def test_each_event_is_rounded_before_they_are_added(funded: Organization) -> None:
    """So that the entry is the sum of the credits that its events show."""
    price("tiny", "0.000000001")
    assert metering.record([event(funded, meter="tiny", quantity="0.6") for _ in range(3)]).credits == Decimal("3E-9")
    assert usage_entries(funded) == [(2, Decimal("-3E-9"))]


def test_a_charge_may_be_a_billion_and_no_more(funded: Organization) -> None:
    price("dear", "2")
    most, over = record(
        event(funded, meter="dear", quantity=500_000_000), event(funded, meter="dear", quantity="500000000.000000001")
    )
    assert (most.result, most.credits) == ("accepted", Decimal(10**9))
    assert (over.result, over.code, over.credits) == ("rejected", "invalid", ZERO)
    assert usage_entries(funded) == [(2, Decimal(-(10**9)))]


def test_a_test_key_costs_nothing_and_is_counted_apart(funded: Organization) -> None:
    key, _ = factories.key(funded, environment="test")
    [result] = record(event(key, meter="sms", quantity=1000))
    assert (result.result, result.credits) == ("accepted", ZERO)
    assert used(funded, "test") == (1, 0, Decimal(0))
    assert used(funded, "live") == (0, 0, Decimal(0))
    assert balance(funded) == 100


def test_a_childs_events_debit_the_root(funded: Organization) -> None:
    child = Organization.objects.create_child(
        Organization.objects.create_child(funded, name="Child"), name="Grandchild"
    )
    key, _ = factories.key(child)
    record(event(key), event(child))
    assert usage_entries(funded) == [(2, Decimal("-0.002"))]
    assert used(child) == used(funded) == (2, 0, Decimal("0.002"))
    assert not LedgerAccount.objects.of(child).exists()


def test_a_batch_of_several_payers_is_one_entry_each(funded: Organization, charlie: Any) -> None:
    other = charlie.current_organization
    child = Organization.objects.create_child(other, name="Child")
    record(event(funded), event(other), event(child), event(funded, meter="sms"))
    assert usage_entries(funded) == [(2, Decimal("-0.011"))]
    assert usage_entries(other) == [(1, Decimal("-0.002"))]


def test_the_key_and_the_organization_may_both_be_named(funded: Organization, key: ApiKey) -> None:
    assert outcomes(event(key, organization=funded.public_id)) == ["accepted"]
    assert UsageRollup.objects.of(funded).get().key == key


@pytest.mark.parametrize("state", ["revoked", "disabled", "expired", "suspended"])
def test_usage_that_has_happened_is_counted_whatever_became_of_its_key(
    funded: Organization, key: ApiKey, state: str
) -> None:
    now = timezone.now()
    ApiKey.objects.filter(pk=key.pk).update(
        disabled_at=now if state == "disabled" else None, expires_at=now if state == "expired" else None
    )
    if state == "revoked":
        keys.revoke(key)
    if state == "suspended":
        Organization.objects.filter(pk=funded.pk).update(status="suspended")
    assert outcomes(event(key)) == ["accepted"]
    assert balance(funded) == Decimal("99.999")


def test_a_bad_event_is_rejected_alone(funded: Organization, key: ApiKey) -> None:
    bad = event(key, id="bad", quantity=-1)
    results = record(event(key, id="a"), bad, "nonsense", event(key, id="b"))
    assert [(r.id, r.result) for r in results] == [
        ("a", "accepted"),
        ("bad", "rejected"),
        (None, "rejected"),
        ("b", "accepted"),
    ]
    assert used(funded) == (2, 0, Decimal("0.002"))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"meter": "fax"}, "unknown_meter"),
        ({"meter": None}, "missing"),
        ({"id": None}, "missing"),
        ({"key_id": "key_ffffffffffffffff"}, "unknown_key"),
        ({"key_id": None}, "missing"),
        ({"organization": "acct_ffffffffffffffff"}, "unknown_organization"),
        ({"quantity": "1E10"}, "invalid"),
        ({"occurred_at": "9999-12-31"}, "in_the_future"),
        ({"hold": "hold_1"}, "unknown_hold"),
        ({"properties": {"a": "\0"}}, "invalid"),
    ],
)
def test_a_rejection_says_why_and_changes_nothing(
    funded: Organization, key: ApiKey, fields: dict[str, Any], code: str
) -> None:
    before = traces(funded)
    [result] = record(event(key, **fields))
    assert (result.result, result.code, result.credits) == ("rejected", code, ZERO)
    assert result.detail
    assert traces(funded) == before


@pytest.mark.parametrize("named", ["another's", "the parent's"])
def test_a_key_with_another_organization_named_is_rejected(
    funded: Organization, key: ApiKey, charlie: Any, named: str
) -> None:
    child = Organization.objects.create_child(funded, name="Child")
    other = charlie.current_organization if named == "another's" else child
    before = traces(funded), traces(other)
    [result] = record(event(key, organization=other.public_id))
    assert (result.result, result.code) == ("rejected", "unknown_key")
    assert (traces(funded), traces(other)) == before


def test_the_platforms_own_key_has_no_usage(funded: Organization) -> None:
    platform, _ = keys.create_platform("gateway")
    [result] = record(event(platform))
    assert (result.result, result.code) == ("rejected", "unknown_key")
    [result] = record(event(platform, organization=funded.public_id))
    assert (result.result, result.code) == ("rejected", "unknown_key")
    assert traces(funded) == (0, 0, 0, Decimal(100))


def test_a_batch_of_rejections_opens_no_ledger(organization: Organization) -> None:
    record(event(organization, meter="fax"))
    assert not LedgerAccount.objects.of(organization).exists()


def test_an_empty_batch_does_nothing(funded: Organization) -> None:
    assert metering.record([]) == metering.BatchResult([])
    assert LedgerEntry.objects.of(funded).count() == 1
