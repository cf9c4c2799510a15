"""`GET /v1/account/details`, from the text of PantheonCloud's reference: each documented field is one assertion."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from time_machine import travel

from accounts import people
from accounts.models import Organization
from billing import organizations
from billing.models import AutoRecharge, BillingAccount, LedgerAccount, Meter, Plan, PlanAllowance, Subscription
from tests import factories
from tests.usage.metering.batches import event, record, this_month
from usage.models import Volume
from usage.reporting import totals

DETAILS = "/v1/account/details"


@pytest.fixture
def professional(organization: Organization) -> Plan:
    """The plan of the documented example, which the organization has taken."""
    plan = Plan.objects.create(slug="professional", name="Professional")
    for meter, included in (("sms", 10_000), ("voice", 5_000)):
        PlanAllowance.objects.create(plan=plan, meter=Meter.objects.get(slug=meter), included_quantity=included)
    Subscription.objects.create(
        organization=organization,
        plan=plan,
        current_period_start=datetime(2023, 7, 1, tzinfo=UTC),
        current_period_end=datetime(2023, 8, 1, tzinfo=UTC),
    )
    return plan


@pytest.fixture
def example(organization: Organization, professional: Plan) -> None:
    """What the documented answer is about."""
    organization.name = "Example Corp"
    organization.created_at = datetime(2022, 1, 15, 8, 30, 0, 123456, tzinfo=UTC)
    organization.save()
    factories.billing_account(organization)
    BillingAccount.objects.update(currency="USD")
    AutoRecharge.objects.create(organization=organization, enabled=True, threshold=5, amount=20)
    record(event(organization, meter="sms", quantity=4500), event(organization, meter="voice", quantity=1200))


@pytest.fixture
def answer(example: None, alice: Any, api: Any) -> Any:
    return api(alice).get(DETAILS)


def test_the_details_are_found(answer: Any) -> None:
    assert answer.status_code == 200


def test_the_answer_has_the_documented_fields_in_their_order_and_no_other(answer: Any) -> None:
    documented = ["account_id", "account_name", "created_at", "plan", "status", "usage", "billing"]
    assert list(answer.json()) == documented


def test_account_id_is_the_organizations(answer: Any, organization: Organization) -> None:
    assert answer.json()["account_id"] == organization.public_id
    assert organization.public_id.startswith("acct_")


def test_account_name_is_the_organizations(answer: Any) -> None:
    assert answer.json()["account_name"] == "Example Corp"


def test_created_at_is_in_utc_in_whole_seconds(answer: Any) -> None:
    assert answer.json()["created_at"] == "2022-01-15T08:30:00Z"


def test_plan_is_that_of_the_subscription(answer: Any) -> None:
    assert answer.json()["plan"] == "professional"


def test_status_is_active(answer: Any) -> None:
    assert answer.json()["status"] == "active"


def test_each_meter_has_what_was_used_what_is_included_and_the_period(answer: Any) -> None:
    assert answer.json()["usage"]["sms"] == {"current": 4500, "limit": 10000, "period": "monthly"}
    assert answer.json()["usage"]["voice"] == {"current": 1200, "limit": 5000, "period": "monthly"}


def test_current_and_limit_are_numbers_without_a_point(answer: Any) -> None:
    assert '"sms": {"current": 4500, "limit": 10000, "period": "monthly"}' in answer.content.decode()


def test_billing_is_as_documented(answer: Any) -> None:
    expected = {"next_billing_date": "2023-08-01T00:00:00Z", "currency": "USD", "automatic_payments": True}
    assert answer.json()["billing"] == expected
    assert list(answer.json()["billing"]) == list(expected)


# What the reference leaves open


def test_before_anything_is_taken_or_paid(alice: Any, api: Any) -> None:
    shown = api(alice).get(DETAILS).json()
    assert shown["plan"] == "developer"
    assert shown["usage"]["requests"] == {"current": 0, "limit": None, "period": "monthly"}
    assert shown["billing"] == {"next_billing_date": None, "currency": "", "automatic_payments": False}


def test_every_meter_is_there_and_one_that_the_plan_does_not_name_has_no_limit(answer: Any) -> None:
    assert set(answer.json()["usage"]) == {"requests", "sms", "voice"}
    assert answer.json()["usage"]["requests"] == {"current": 0, "limit": None, "period": "monthly"}


def test_a_subscription_that_ends_is_not_billed_again(example: None, alice: Any, api: Any) -> None:
    Subscription.objects.update(cancel_at_period_end=True)
    shown = api(alice).get(DETAILS).json()
    assert (shown["plan"], shown["billing"]["next_billing_date"]) == ("professional", None)


def test_a_canceled_subscription_is_none(example: None, alice: Any, api: Any) -> None:
    Subscription.objects.update(status="canceled")
    shown = api(alice).get(DETAILS).json()
    assert (shown["plan"], shown["usage"]["sms"]["limit"]) == ("developer", None)
    assert shown["billing"]["next_billing_date"] is None


def test_test_keys_usage_does_not_count(organization: Organization, alice: Any, api: Any) -> None:
    key, _ = factories.key(organization, created_by=alice, environment="test")
    record(event(key, meter="sms", quantity=3))
    assert api(alice).get(DETAILS).json()["usage"]["sms"]["current"] == 0


def test_usage_is_there_with_the_very_next_request(organization: Organization, alice: Any, api: Any) -> None:
    for expected in (1, 2, 3):
        record(event(organization, meter="sms"))
        assert api(alice).get(DETAILS).json()["usage"]["sms"]["current"] == expected


def test_the_month_is_that_of_the_payers_time_zone(organization: Organization, alice: Any, api: Any) -> None:
    """At 20:00 of New Year's Eve in UTC it is January in Kathmandu, for an hour and three quarters."""
    organization.timezone = "Asia/Kathmandu"
    organization.save()
    midnight = datetime(2023, 12, 31, 18, 15, tzinfo=UTC)
    moments = [midnight - timedelta(microseconds=1), midnight, midnight + timedelta(minutes=40)]
    record(
        *(event(organization, meter="sms", quantity=10**n, occurred_at=at.isoformat()) for n, at in enumerate(moments))
    )
    with travel("2023-12-31T20:00:00Z", tick=False):
        assert api(alice).get(DETAILS).json()["usage"]["sms"]["current"] == 110


def test_any_span_is_summed_exactly_by_meter(organization: Organization) -> None:
    """The edges of the span are not on the borders of the rollups."""
    start = this_month(2) + timedelta(minutes=7)
    moments = [start + timedelta(minutes=10 * n) for n in range(-2, 14)]
    batch = [
        event(organization, meter=("sms", "voice")[n % 2], quantity=f"{2**n}.000000001", occurred_at=at.isoformat())
        for n, at in enumerate(moments)
    ]
    record(*batch, at=this_month(2, 20))
    used = totals.by_meter(organization, start, start + timedelta(minutes=100))
    inside: dict[str, Decimal] = {"sms": Decimal(0), "voice": Decimal(0)}
    for n in range(2, 12):
        inside[("sms", "voice")[n % 2]] += 2**n + Decimal("0.000000001")
    assert used == inside


# Who may see what


@pytest.fixture
def child(organization: Organization) -> Organization:
    return people.add_child(organization, name="Branch")


@pytest.fixture
def carol(child: Organization) -> Any:
    """Owns the child alone."""
    carol = factories.user("carol")
    factories.join(carol, child, "owner")
    people.switch(carol, child)
    return carol


def test_a_root_counts_its_whole_subtree(organization: Organization, child: Organization, alice: Any, api: Any) -> None:
    record(event(organization, meter="sms"), event(child, meter="sms", quantity=2))
    assert api(alice).get(DETAILS).json()["usage"]["sms"]["current"] == 3


def test_a_child_counts_its_own_against_the_plan_of_its_root(
    example: None, child: Organization, carol: Any, api: Any
) -> None:
    record(event(child, meter="sms", quantity=2))
    shown = api(carol).get(DETAILS).json()
    assert (shown["account_id"], shown["plan"]) == (child.public_id, "professional")
    assert shown["usage"]["sms"] == {"current": 2, "limit": 10000, "period": "monthly"}


def test_a_child_is_not_told_how_its_root_pays(example: None, carol: Any, api: Any) -> None:
    billing = api(carol).get(DETAILS).json()["billing"]
    assert billing == {"next_billing_date": None, "currency": "", "automatic_payments": False}


def test_beneath_a_suspended_organization_the_status_is_suspended(
    organization: Organization, carol: Any, api: Any
) -> None:
    Organization.objects.filter(pk=organization.pk).update(status="suspended")
    assert api(carol).get(DETAILS).json()["status"] == "suspended"


def test_a_stranger_sees_their_own(example: None, charlie: Any, api: Any) -> None:
    shown = api(charlie).get(DETAILS).json()
    assert shown["account_id"] == charlie.current_organization.public_id
    assert shown["usage"]["sms"]["current"] == 0


def test_a_viewer_sees_it(bob: Any, organization: Organization, api: Any) -> None:
    assert api(bob).get(DETAILS).json()["account_id"] == organization.public_id


def test_a_key_needs_account_read(organization: Organization, alice: Any, api: Any) -> None:
    codes = []
    for permissions in (["account:read"], ["usage:read"]):
        _, secret = factories.key(organization, created_by=alice, permissions=permissions)
        codes.append(api(secret).get(DETAILS).status_code)
    assert codes == [200, 403]


def test_without_a_credential_it_is_a_401(anonymous: Any) -> None:
    assert anonymous.get(DETAILS).status_code == 401


def test_the_month_is_the_one_that_counts_for_the_price(api: Any, alice: Any, organization: Organization) -> None:
    """It follows the history of the payer's time zone: in the first hours of a month in UTC, New York has the last."""
    first_hours = this_month(1, 2)
    with travel(first_hours, tick=False):
        organizations.change_timezone(organization, "America/New_York", now=timezone.now())
        LedgerAccount.objects.filter(pk=organization.pk).update(zones=[["America/New_York", None]])
        record(event(organization, meter="sms", quantity=7, occurred_at=(first_hours - timedelta(days=9)).isoformat()))
        organizations.change_timezone(organization, "Asia/Kathmandu", now=timezone.now())
        (volume,) = Volume.objects.filter(account_id=organization.pk).values_list("quantity", flat=True)
        assert api(alice).get(DETAILS).json()["usage"]["sms"]["current"] == volume == 7
