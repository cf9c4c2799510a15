"""`/auth/account/usage` and `/auth/account/summary`, as the Account API documents them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from accounts.models import Organization, User
from tests import factories
from tests.usage.metering.batches import event, record

USAGE, SUMMARY = "/auth/account/usage", "/auth/account/summary"
NOW = datetime(2016, 7, 20, 13, 7, tzinfo=UTC)


def used(api: Any, who: Any, **parameters: str) -> Any:
    answer = api(who).client.get(USAGE, parameters, headers=api(who).headers)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_the_usage_of_this_month(api: Any, alice: User, funded: Organization) -> None:
    sent: list[dict[str, Any]] = [{"endpoint": "/a", "meter": "sms"}, {"endpoint": "/a", "status": 500}, {}]
    record(*(event(funded, occurred_at="2016-07-20T13:00:00Z", **fields) for fields in sent))
    with time_machine.travel(NOW, tick=False):
        assert used(api, alice) == {
            "user_id": alice.pk,
            "period": "monthly",
            "total_requests": 3,
            "successful_requests": 2,
            "failed_requests": 1,
            "credits_consumed": 0.012,
            "requests_by_endpoint": {"/a": 2, "(none)": 1},
            "period_start": "2016-07-01T00:00:00Z",
            "period_end": "2016-07-20T13:07:00Z",
        }


def test_after_the_answer_each_event_is_in_the_usage(api: Any, alice: User, gateway: Any, funded: Organization) -> None:
    for n in range(1, 4):
        gateway.post("/v1/usage/events", event(funded))
        assert used(api, alice)["total_requests"] == n


def test_an_event_of_a_fast_clock_is_at_once_in_every_figure(
    api: Any, alice: User, gateway: Any, funded: Organization
) -> None:
    ahead = (datetime.now(UTC) + timedelta(minutes=50)).isoformat()
    gateway.post("/v1/usage/events", event(funded, occurred_at=ahead))
    client = api(alice)
    summary, details, series = (client.get(path).json() for path in (SUMMARY, "/v1/account/details", "/v1/usage"))
    assert used(api, alice)["total_requests"] == 1
    assert summary["usage_this_month"]["total_requests"] == summary["total_requests_all_time"] == 1
    assert details["usage"]["requests"]["current"] == 1
    assert sum(row["requests"] for row in series["data"]) == 1


@pytest.mark.parametrize(("period", "requests"), [("daily", 1), ("monthly", 3), ("yearly", 5)])
def test_a_period_begins_in_the_callers_time_zone(db: None, api: Any, period: str, requests: int) -> None:
    """Kathmandu is 5:45 ahead, so its 20th, its July and its 2016 began at 18:15 of the day before."""
    person = factories.user(timezone="Asia/Kathmandu")
    for day in ("2016-07-19", "2016-06-30", "2015-12-31"):
        for second in ("18:15:00", "18:14:59"):
            record(event(person.current_organization, occurred_at=f"{day}T{second}Z"))  # type: ignore[arg-type]
    with time_machine.travel(NOW):
        assert used(api, person, period=period)["total_requests"] == requests


def test_from_is_inclusive_and_to_exclusive(api: Any, alice: User, organization: Organization) -> None:
    for second in ("00", "01", "02"):
        record(event(organization, occurred_at=f"2016-07-20T10:00:{second}Z"))
    span = {"from": "2016-07-20T10:00:00Z", "to": "2016-07-20T10:00:02Z"}
    stats = used(api, alice, **span)
    assert stats["total_requests"] == 2
    assert (stats["period_start"], stats["period_end"]) == (span["from"], span["to"])


def test_a_naive_moment_and_a_date_are_in_the_callers_time_zone(db: None, api: Any) -> None:
    person = factories.user(timezone="America/New_York")
    stats = used(api, person, **{"from": "2016-07-20", "to": "2016-07-20T12:30"})
    assert (stats["period_start"], stats["period_end"]) == ("2016-07-20T04:00:00Z", "2016-07-20T16:30:00Z")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("from", "yesterday"), ("from", "2016-02-30"), ("to", "10000-01-01"), ("to", "1466208000"),
        ("to", "2016-01-01"), ("period", "weekly"), ("period", ""), ("environment", "production"), ("from", "\0"),
        ("from", "T" * 3000),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_named(api: Any, alice: User, parameter: str, value: str) -> None:
    parameters = {"from": "2016-07-20", parameter: value}
    answer = api(alice).client.get(USAGE, parameters, headers=api(alice).headers)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{parameter}")


def test_without_a_billing_account_there_is_usage_of_nothing(api: Any, alice: User) -> None:
    stats = used(api, alice)
    assert (stats["total_requests"], stats["credits_consumed"], stats["requests_by_endpoint"]) == (0, 0, {})


def test_test_traffic_is_shown_apart(api: Any, alice: User, organization: Organization) -> None:
    key, _ = factories.key(organization, environment="test")
    record(event(key), event(key), event(organization))
    assert used(api, alice)["total_requests"] == 1
    assert used(api, alice, environment="test")["total_requests"] == 2


def test_a_root_sees_its_subtree_and_a_child_its_own(api: Any, alice: User, funded: Organization) -> None:
    child = Organization.objects.create_child(funded, name="Child")
    _, secret = factories.key(child, created_by=alice, permissions=["usage:read"])
    record(event(child), event(funded))
    assert used(api, alice)["total_requests"] == 2
    assert used(api, secret)["total_requests"] == 1


def test_who_is_a_member_sees_it_and_a_stranger_does_not(
    api: Any, bob: User, charlie: User, organization: Organization
) -> None:
    record(event(organization))
    assert used(api, bob)["total_requests"] == 1
    assert used(api, charlie)["total_requests"] == 0


def test_the_summary_is_the_balance_and_the_usage_at_a_glance(api: Any, alice: User, funded: Organization) -> None:
    record(event(funded, meter="sms"), event(funded, occurred_at="2016-07-20"))
    summary = api(alice).get(SUMMARY).json()
    assert (summary["user_id"], summary["email"]) == (alice.pk, alice.email)
    assert summary["credit_balance"]["balance"] == 99.989
    assert summary["usage_this_month"]["total_requests"] == 1
    assert summary["total_requests_all_time"] == 2
