"""`/v1/usage/months`: the frozen usage of closed months, also for pollers."""

from typing import Any

import pytest

from accounts.lib import months
from accounts.models import Organization, User
from tests.conftest import Api
from tests.usage.metering.batches import event, record, this_month
from tests.usage.storage.months import A_MONTH, END, close

PATH = "/v1/usage/months"
MONTH = this_month(1).date()


@pytest.fixture
def child(funded: Organization) -> Organization:
    """Two months were closed: usage of two meters, a child's, and late usage."""
    child = Organization.objects.create_child(funded, name="Sub")
    record(event(funded), event(funded, meter="sms", quantity="2.5", status=500), event(child, meter="sms"))
    close(funded)
    record(event(child, meter="sms"))
    close(funded, END + A_MONTH)
    return child


def rows(client: Api, query: str = "") -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = client.get(f"{PATH}{query}").json()["results"]
    return results


def test_the_newest_come_first_and_late_usage_is_marked(alice: User, api: Any, child: Organization) -> None:
    late, *others = rows(api(alice))
    assert {name: late[name] for name in late if name != "id"} == {
        "month": f"{months.shift(MONTH, 1):%Y-%m}",
        "organization": child.public_id,
        "meter": "sms",
        "occurred_in": f"{MONTH:%Y-%m}",
        "late": True,
        "requests": 1,
        "failed": 0,
        "quantity": 1,
        "credits": 0.01,
    }
    assert [(row["meter"], row["late"]) for row in others] == [("sms", False), ("sms", False), ("requests", False)]


def test_it_is_filtered(alice: User, api: Any, child: Organization) -> None:
    client = api(alice)
    assert len(rows(client, f"?month={MONTH:%Y-%m}")) == 3
    assert [row["meter"] for row in rows(client, "?meter=requests")] == ["requests"]
    assert {row["organization"] for row in rows(client, f"?organization={child.public_id}")} == {child.public_id}


def test_a_poller_reads_on_after_an_id(alice: User, api: Any, child: Organization) -> None:
    client = api(alice)
    first = client.get(f"{PATH}?after=0&limit=3").json()
    ids = [row["id"] for row in first["results"]]
    assert (first["count"], sorted(ids)) == (4, ids)
    assert [row["late"] for row in rows(client, f"?after={ids[-1]}")] == [True]
    assert rows(client, f"?after={ids[-1]}&meter=requests") == []


@pytest.mark.parametrize(
    "query",
    [
        "month=2026",
        "month=2026-13",
        "month=0000-01",
        "month=",
        "meter=none",
        "meter=",
        "organization=",
        "after=x",
    ],
)
def test_a_bad_parameter_is_named(alice: User, api: Any, query: str) -> None:
    answer = api(alice).get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{query.partition('=')[0]}")
