"""The Account API, field by field and parameter by parameter."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from time_machine import travel

from accounts.models import Organization, User
from billing.invoicing import subscriptions
from billing.ledger import posting
from billing.models import AutoRecharge, LedgerEntry
from tests import factories
from tests.conftest import Api
from usage import metering
from usage.storage import partitions

Client = Callable[[Any], Api]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
USAGE, CREDITS = "/auth/account/usage", "/auth/account/credits"
LEDGER, SUMMARY = "/auth/account/ledger", "/auth/account/summary"
USAGE_FIELDS = [
    *("user_id", "period", "total_requests", "successful_requests", "failed_requests", "credits_consumed"),
    *("requests_by_endpoint", "period_start", "period_end"),
]
BALANCE_FIELDS = [
    *("user_id", "balance", "reserved", "available", "currency", "last_updated"),
    *("auto_reload_enabled", "auto_reload_threshold", "auto_reload_amount"),
]
ENTRY_FIELDS = [
    *("id", "user_id", "type", "amount", "balance_after", "description", "reference", "metadata", "created_at"),
]
SUMMARY_FIELDS = [
    *("user_id", "email", "credit_balance", "subscription", "usage_this_month", "total_requests_all_time"),
    *("account_created_at", "last_login_at"),
]


@pytest.fixture(autouse=True)
def _now(db: None) -> Any:
    partitions.ensure(NOW)
    with travel(NOW, tick=False):
        yield


def use(organization: Organization, *times: datetime, status: int = 200, endpoint: str = "/a") -> None:
    batch = [
        {
            "id": f"{endpoint}{status}{moment.isoformat()}",
            "organization": organization.public_id,
            "meter": "requests",
            "endpoint": endpoint,
            "status": status,
            "occurred_at": moment.isoformat(),
        }
        for moment in times
    ]
    assert metering.record(batch).count("accepted") == len(batch)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.mark.parametrize("path", [USAGE, CREDITS, LEDGER, SUMMARY])
def test_authentication_is_required(anonymous: Api, path: str) -> None:
    assert anonymous.get(path).status_code == 401


@pytest.mark.parametrize(
    ("path", "fields"), [(USAGE, USAGE_FIELDS), (CREDITS, BALANCE_FIELDS), (SUMMARY, SUMMARY_FIELDS)]
)
def test_an_answer_has_the_documented_fields_and_no_other(
    api: Client, alice: User, path: str, fields: list[str]
) -> None:
    assert list(api(alice).get(path).json()) == fields


def test_usage_has_the_documented_types(api: Client, alice: User, organization: Organization) -> None:
    use(organization, days_ago(1), days_ago(2))
    use(organization, days_ago(1), status=500, endpoint="/b")
    answer = json.loads(api(alice).get(USAGE).content, parse_float=Decimal)
    assert answer == {
        "user_id": alice.pk,
        "period": "monthly",
        "total_requests": 3,
        "successful_requests": 2,
        "failed_requests": 1,
        "credits_consumed": Decimal("0.003"),
        "requests_by_endpoint": {"/a": 2, "/b": 1},
        "period_start": "2026-11-01T00:00:00Z",
        "period_end": "2026-11-22T12:00:00Z",
    }


@pytest.mark.parametrize(
    ("query", "start"),
    [
        ("", "2026-11-01T00:00:00Z"),
        ("?period=monthly", "2026-11-01T00:00:00Z"),
        ("?period=daily", "2026-11-22T00:00:00Z"),
        ("?period=yearly", "2026-01-01T00:00:00Z"),
    ],
)
def test_the_period_sets_where_it_starts(api: Client, alice: User, query: str, start: str) -> None:
    answer = api(alice).get(USAGE + query).json()
    assert (answer["period_start"], answer["period_end"]) == (start, "2026-11-22T12:00:00Z")


def test_the_period_starts_in_the_callers_time_zone(api: Client) -> None:
    person = factories.user("kathmandu", timezone="Asia/Kathmandu")
    assert api(person).get(USAGE).json()["period_start"] == "2026-10-31T18:15:00Z"


def test_from_is_inclusive_and_to_exclusive(api: Client, alice: User, organization: Organization) -> None:
    use(organization, days_ago(3), days_ago(2), days_ago(1))
    span = f"?from={days_ago(3):%Y-%m-%dT%H:%M:%SZ}&to={days_ago(1):%Y-%m-%dT%H:%M:%SZ}"
    assert api(alice).get(USAGE + span).json()["total_requests"] == 2


def test_it_is_exact_where_no_hour_begins(api: Client, alice: User, organization: Organization) -> None:
    start = days_ago(1) + timedelta(minutes=7, microseconds=1)
    use(organization, start - timedelta(microseconds=1), start, start + timedelta(minutes=31))
    span = f"?from={start:%Y-%m-%dT%H:%M:%S.%fZ}&to={start + timedelta(minutes=31):%Y-%m-%dT%H:%M:%S.%fZ}"
    assert api(alice).get(USAGE + span).json()["total_requests"] == 1


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        (USAGE, "period=weekly", "period"),
        (USAGE, "from=yesterday", "from"),
        (USAGE, "to=2026-13-01", "to"),
        (USAGE, "from=2026-11-02&to=2026-11-01", "to"),
        (USAGE, "to=2015-06-01", "to"),
        (USAGE, "from=2030-01-01", "from"),
        (LEDGER, "type=refund", "type"),
        (LEDGER, "from=x", "from"),
        (LEDGER, "to=x", "to"),
        (LEDGER, "limit=0", "limit"),
        (LEDGER, "limit=101", "limit"),
        (LEDGER, "limit=ten", "limit"),
        (LEDGER, "offset=-1", "offset"),
    ],
)
def test_a_bad_parameter_is_named(api: Client, alice: User, path: str, query: str, field: str) -> None:
    answer = api(alice).get(f"{path}?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{field}")


def test_credits_before_anything_happened_are_zeros(api: Client, alice: User) -> None:
    answer = api(alice).get(CREDITS).json()
    assert answer.pop("last_updated").endswith("Z")
    assert answer == {
        "user_id": alice.pk,
        "balance": 0,
        "reserved": 0,
        "available": 0,
        "currency": "",
        "auto_reload_enabled": False,
        "auto_reload_threshold": None,
        "auto_reload_amount": None,
    }


def test_credits_show_the_balance_and_what_is_to_be_recharged(
    api: Client, alice: User, organization: Organization
) -> None:
    subscriptions.subscribe(factories.billing_account(organization).organization, "developer", now=timezone.now())
    factories.credit(organization, "12.5")
    AutoRecharge.objects.create(organization=organization, enabled=True, threshold=5, amount=20)
    answer = api(alice).get(CREDITS).json()
    assert (answer["balance"], answer["available"], answer["currency"]) == (12.5, 12.5, "USD")
    assert (answer["auto_reload_enabled"], answer["auto_reload_threshold"], answer["auto_reload_amount"]) == (
        True,
        5,
        20,
    )
    assert answer["last_updated"] == "2026-11-22T12:00:00Z"


@pytest.fixture
def entries(organization: Organization) -> Organization:
    """A purchase two days ago, an adjustment yesterday and a debit today."""
    kinds = [(2, "purchase", 10), (1, "adjustment", -1), (0, "usage", -2)]
    for days, kind, amount in kinds:
        with travel(days_ago(days), tick=False):
            posting.post(
                organization.pk,
                kind=LedgerEntry.Kind(kind),
                amount=Decimal(amount),
                description=kind,
                reference=f"ref-{kind}",
                metadata={"days": days},
                now=timezone.now(),
            )
    return organization


def test_a_ledger_entry_has_the_documented_fields(api: Client, alice: User, entries: Organization) -> None:
    answer = api(alice).get(LEDGER).json()
    assert list(answer) == ["count", "next", "previous", "results"]
    assert list(answer["results"][0]) == ENTRY_FIELDS
    assert answer["results"][-1] == {
        "id": 1,
        "user_id": alice.pk,
        "type": "credit",
        "amount": 10,
        "balance_after": 10,
        "description": "purchase",
        "reference": "ref-purchase",
        "metadata": {"days": 2},
        "created_at": "2026-11-20T12:00:00Z",
    }


def test_the_newest_entry_comes_first(api: Client, alice: User, entries: Organization) -> None:
    results = api(alice).get(LEDGER).json()["results"]
    assert [(entry["id"], entry["balance_after"]) for entry in results] == [(3, 7), (2, 9), (1, 10)]


@pytest.mark.parametrize(("type_", "ids"), [("credit", [1]), ("adjustment", [2]), ("debit", [3])])
def test_the_ledger_is_filtered_by_type(
    api: Client, alice: User, entries: Organization, type_: str, ids: list[int]
) -> None:
    results = api(alice).get(f"{LEDGER}?type={type_}").json()["results"]
    assert [(entry["id"], entry["type"]) for entry in results] == [(n, type_) for n in ids]


def test_the_ledger_is_filtered_by_time(api: Client, alice: User, entries: Organization) -> None:
    span = "?from=2026-11-20T12:00:00Z&to=2026-11-22T12:00:00Z"
    assert [entry["id"] for entry in api(alice).get(LEDGER + span).json()["results"]] == [2, 1]


@pytest.mark.parametrize(("query", "shown"), [("", 50), ("?limit=100", 100), ("?limit=5&offset=98", 5)])
def test_a_page_has_fifty_entries_and_at_most_a_hundred(
    api: Client, alice: User, organization: Organization, query: str, shown: int
) -> None:
    for _ in range(103):
        factories.credit(organization, 1)
    answer = api(alice).get(LEDGER + query).json()
    assert (answer["count"], len(answer["results"])) == (103, shown)


def test_the_summary_holds_the_other_answers(api: Client, alice: User, organization: Organization) -> None:
    use(organization, days_ago(1))
    use(organization, days_ago(200))
    client = api(alice)
    answer = client.get(SUMMARY).json()
    assert answer["credit_balance"] == client.get(CREDITS).json()
    assert answer["usage_this_month"] == client.get(USAGE).json()
    assert (answer["usage_this_month"]["total_requests"], answer["total_requests_all_time"]) == (1, 2)
    assert (answer["user_id"], answer["email"], answer["subscription"]) == (alice.pk, alice.email, None)
    assert answer["last_login_at"] == "2026-11-22T12:00:00Z"


@pytest.mark.parametrize("path", [CREDITS, LEDGER])
def test_a_child_is_billed_by_its_parent(api: Client, alice: User, organization: Organization, path: str) -> None:
    alice.current_organization = Organization.objects.create_child(organization, name="Child")
    answer = api(alice).get(path)
    assert (answer.status_code, answer.json()["code"]) == (403, "billed_by_parent")


def test_a_childs_usage_is_its_own_subtrees_and_its_roots_includes_it(
    api: Client, alice: User, organization: Organization
) -> None:
    child = Organization.objects.create_child(organization, name="Child")
    use(organization, days_ago(1))
    use(child, days_ago(1))
    assert api(alice).get(USAGE).json()["total_requests"] == 2
    alice.current_organization = child
    assert api(alice).get(USAGE).json()["total_requests"] == 1


def test_a_keys_user_is_its_creator(api: Client, alice: User, organization: Organization) -> None:
    _, secret = factories.key(organization, created_by=alice, permissions=["usage:read", "credits:read"])
    for path in (USAGE, CREDITS, SUMMARY):
        assert api(secret).get(path).json()["user_id"] == alice.pk
