"""`/v1/usage`: its parameters, its refusals, and its two formats, JSON and CSV."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from accounts import people
from accounts.models import Organization, User
from tests import factories
from tests.usage.metering.batches import event, record
from usage.reporting import timeseries

USAGE = "/v1/usage"
NOW = datetime(2016, 7, 3, 13, 7, tzinfo=UTC)
HOUR = {"from": "2016-07-01T10:00Z", "to": "2016-07-01T11:00Z", "window": "hour"}


def ask(api: Any, who: Any, accept: str = "application/json", **params: str) -> Any:
    client = api(who)
    return client.client.get(USAGE, params, headers={**client.headers, "accept": accept})


def series(api: Any, who: Any, **params: str) -> Any:
    answer = ask(api, who, **params)
    assert answer.status_code == 200, answer.content
    return answer.json()


def table(api: Any, who: Any, **params: str) -> list[list[str]]:
    answer = ask(api, who, "text/csv", **params)
    assert answer.status_code == 200, answer.content
    return list(csv.reader(io.StringIO(answer.content.decode(), newline="")))


def use(owner: Any, **fields: Any) -> None:
    record(event(owner, **{"occurred_at": "2016-07-01T10:05:00Z", **fields}))


def refused(api: Any, who: Any, **params: str) -> str:
    answer = ask(api, who, **params)
    assert answer.status_code == 400, answer.content
    (error,) = answer.json()["errors"]
    return str(error["pointer"])


@pytest.fixture
def child(organization: Organization) -> Organization:
    return people.add_child(organization, name="Child")


def test_by_default_it_is_the_days_of_this_month(api: Any, alice: User, organization: Organization) -> None:
    use(organization, status=500)
    with time_machine.travel(NOW, tick=False):
        answer = series(api, alice)
    day = {"requests": 0, "failed": 0, "quantity": None, "credits": 0}
    assert answer == {
        "from": "2016-07-01T00:00:00Z",
        "to": "2016-07-03T13:07:00Z",
        "as_of": "2016-07-03T13:07:00Z",
        "window": "day",
        "timezone": "UTC",
        "group_by": [],
        "data": [
            {"start": "2016-07-01T00:00:00Z", "end": "2016-07-02T00:00:00Z", **day}
            | {"requests": 1, "failed": 1, "credits": 0.001},
            {"start": "2016-07-02T00:00:00Z", "end": "2016-07-03T00:00:00Z", **day},
            {"start": "2016-07-03T00:00:00Z", "end": "2016-07-03T13:07:00Z", **day},
        ],
    }


def test_a_row_names_its_groups(api: Any, alice: User, organization: Organization) -> None:
    key, _ = factories.key(organization)
    use(key, endpoint="/a", meter="sms", quantity=3)
    (row,) = series(api, alice, **HOUR, group_by="organization, key,endpoint,meter")["data"]
    assert row == {
        "start": "2016-07-01T10:00:00Z",
        "end": "2016-07-01T11:00:00Z",
        "meter": "sms",
        "endpoint": "/a",
        "key": key.public_id,
        "organization": organization.public_id,
        "requests": 1,
        "failed": 0,
        "quantity": 3,
        "credits": 0.03,
    }


def test_what_named_no_key_and_no_endpoint_says_so(api: Any, alice: User, organization: Organization) -> None:
    use(organization)
    (row,) = series(api, alice, **HOUR, group_by="key,endpoint")["data"]
    assert (row["key"], row["endpoint"]) == (None, "(none)")


@pytest.mark.parametrize(
    ("params", "quantity"),
    [({}, None), ({"group_by": "key"}, None), ({"group_by": "meter"}, 2), ({"meter": "requests"}, 2)],
)
def test_quantities_of_several_units_are_not_added_up(
    api: Any, alice: User, organization: Organization, params: dict[str, str], quantity: int | None
) -> None:
    use(organization, quantity=2)
    (row,) = series(api, alice, **HOUR, **params)["data"]
    assert row["quantity"] == quantity


def test_sums_are_written_digit_by_digit(api: Any, alice: User, organization: Organization) -> None:
    for _ in range(3):
        use(organization, quantity="999999999.000000001")
    answer = ask(api, alice, **HOUR, meter="requests")
    assert b'"quantity": 2999999997.000000003' in answer.content


def test_days_and_naive_moments_are_the_callers(db: None, api: Any) -> None:
    person = factories.user(timezone="Asia/Kathmandu")
    answer = series(api, person, **{"from": "2016-07-01", "to": "2016-07-02T12:30"})
    assert answer["timezone"] == "Asia/Kathmandu"
    assert [(row["start"], row["end"]) for row in answer["data"]] == [
        ("2016-07-01T00:00:00+05:45", "2016-07-02T00:00:00+05:45"),
        ("2016-07-02T00:00:00+05:45", "2016-07-02T12:30:00+05:45"),
    ]


def test_a_time_zone_may_be_asked_for(api: Any, alice: User) -> None:
    """Also on the day when its clocks are set forward."""
    params = {"from": "2024-03-10", "to": "2024-03-11", "timezone": "America/New_York"}
    (row,) = series(api, alice, **params)["data"]
    assert (row["start"], row["end"]) == ("2024-03-10T00:00:00-05:00", "2024-03-11T00:00:00-04:00")
    assert len(series(api, alice, **params, window="hour")["data"]) == 23


def test_the_month_by_default_is_that_of_the_time_zone(api: Any, alice: User) -> None:
    with time_machine.travel(datetime(2016, 7, 31, 20, tzinfo=UTC), tick=False):
        assert series(api, alice, timezone="Asia/Kathmandu")["from"] == "2016-08-01T00:00:00+05:45"


def test_it_is_of_the_organization_and_all_beneath_it(
    api: Any, alice: User, bob: User, charlie: User, organization: Organization, child: Organization
) -> None:
    for owner in (organization, child, people.add_child(child, name="Grandchild")):
        use(owner)
    seen = [series(api, who, **HOUR)["data"][0]["requests"] for who in (alice, bob, charlie)]
    assert seen == [3, 3, 0]


def test_a_child_sees_its_own_alone(api: Any, alice: User, organization: Organization, child: Organization) -> None:
    use(organization)
    use(child)
    _, secret = factories.key(child, created_by=alice, permissions=["usage:read"])
    (row,) = series(api, secret, **HOUR, group_by="organization")["data"]
    assert (row["organization"], row["requests"]) == (child.public_id, 1)


def test_one_organization_beneath_is_asked_for_with_all_beneath_it(
    api: Any, alice: User, organization: Organization, child: Organization
) -> None:
    for owner in (organization, child, people.add_child(child, name="Grandchild")):
        use(owner)
    assert series(api, alice, **HOUR, organization=child.public_id)["data"][0]["requests"] == 2


def test_the_key_of_a_child_may_be_asked_for(api: Any, alice: User, child: Organization) -> None:
    key, _ = factories.key(child)
    use(key)
    use(child)
    assert series(api, alice, **HOUR, key=key.public_id)["data"][0]["requests"] == 1


def test_what_belongs_to_another_is_refused_as_what_there_is_not(api: Any, alice: User, charlie: User) -> None:
    assert charlie.current_organization
    theirs = {
        "organization": (charlie.current_organization.public_id, "acct_0000000000000000"),
        "key": (factories.key(charlie.current_organization)[0].public_id, "key_0000000000000000"),
    }
    for name, (foreign, unknown) in theirs.items():
        first, second = (ask(api, alice, **{name: value}).json() for value in (foreign, unknown))
        assert {**first, "request_id": ""} == {**second, "request_id": ""}
        assert first["status"] == 404 or first["errors"][0]["pointer"] == f"/{name}"


def test_a_child_may_not_ask_for_its_parents(
    api: Any, alice: User, organization: Organization, child: Organization
) -> None:
    _, secret = factories.key(child, created_by=alice, permissions=["usage:read"])
    key, _ = factories.key(organization)
    assert ask(api, secret, organization=organization.public_id).status_code == 404
    assert refused(api, secret, key=key.public_id) == "/key"


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("from", "yesterday"), ("from", "2016-02-30"), ("to", "10000-01-01"), ("to", "2016-01-01"), ("from", "\0"),
        ("window", "week"), ("window", ""), ("group_by", "meter,color"), ("group_by", "meter;key"),
        ("timezone", "Mars/Olympus"), ("timezone", ""), ("timezone", "../etc/passwd"), ("environment", "production"),
        ("meter", "teleport"), ("meter", ""), ("meter", "\0"), ("key", "key_1"), ("key", "\0"), ("endpoint", "\0"),
        ("organization", ""), ("organization", "\0"), ("from", ""), ("to", ""), ("group_by", ""),
        ("group_by", "meter,"), ("endpoint", ""), ("key", ""), ("environment", ""),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_named(api: Any, alice: User, parameter: str, value: str) -> None:
    with time_machine.travel(NOW):
        assert refused(api, alice, **{parameter: value}) == f"/{parameter}"


@pytest.mark.parametrize(("name", "moment"), [("from", "0001-01-01T00:00Z"), ("to", "9999-12-31T23:00Z")])
def test_a_moment_that_has_no_date_in_the_zone_is_named(api: Any, alice: User, name: str, moment: str) -> None:
    zone = {"from": "America/New_York", "to": "Asia/Tokyo"}[name]
    assert refused(api, alice, **{name: moment, "timezone": zone, "window": "month"}) == f"/{name}"


def test_too_many_windows_ask_for_a_larger_one(api: Any, alice: User) -> None:
    assert refused(api, alice, **{"from": "2010-01-01", "to": "2016-01-01", "window": "hour"}) == "/window"
    assert len(series(api, alice, **{"from": "2010-01-01", "to": "2016-01-01", "window": "month"})["data"]) == 72


def test_too_many_rows_ask_for_fewer_groups(
    api: Any, alice: User, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeseries, "MOST_POINTS", 1)
    for endpoint in ("/a", "/b"):
        use(organization, endpoint=endpoint)
    assert refused(api, alice, **HOUR, group_by="endpoint") == "/group_by"
    assert len(series(api, alice, **HOUR, group_by="meter")["data"]) == 1


def test_after_the_answer_to_an_event_it_is_in_the_series(
    api: Any, alice: User, gateway: Any, organization: Organization
) -> None:
    start = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    for n in range(1, 4):
        gateway.post("/v1/usage/events", event(organization))
        assert sum(row["requests"] for row in series(api, alice, **{"from": start})["data"]) == n


def test_csv_has_a_header_and_the_same_rows(api: Any, alice: User, organization: Organization) -> None:
    key, _ = factories.key(organization)
    use(key, endpoint="/a", status=500)
    use(organization, endpoint='/"b",', quantity="0.5")
    assert table(api, alice, **HOUR, group_by="endpoint,key,meter") == [
        ["start", "end", "meter", "endpoint", "key", "requests", "failed", "quantity", "credits"],
        ["2016-07-01T10:00:00Z", "2016-07-01T11:00:00Z", "requests", '/"b",', "", "1", "0", "0.5", "0.0005"],
        ["2016-07-01T10:00:00Z", "2016-07-01T11:00:00Z", "requests", "/a", key.public_id, "1", "1", "1", "0.001"],
    ]


def test_csv_says_what_it_is(api: Any, alice: User) -> None:
    answer = ask(api, alice, "text/csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "Accept" in answer.headers["Vary"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("endpoint", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://evil.example")'])
def test_no_cell_of_csv_is_a_formula(api: Any, alice: User, organization: Organization, endpoint: str) -> None:
    use(organization, endpoint=endpoint)
    _, row = table(api, alice, **HOUR, group_by="endpoint")
    assert row[2] == f"'{endpoint}"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/csv", "text/csv"), ("text/csv; charset=utf-8", "text/csv"), ("text/*", "text/csv"),
        ("text/csv, application/json;q=0.5", "text/csv"), ("text/csv, */*;q=0.1", "text/csv"),
        ("application/json, text/csv;q=0.5", "application/json"), ("*/*", "application/json"),
        ("text/html", "application/json"), ("text/csv;q=0", "application/json"), ("", "application/json"),
        (";;,", "application/json"), ("application/problem+json, text/csv", "text/csv"),
    ],
)  # fmt: skip
def test_the_caller_chooses_the_form(api: Any, alice: User, accept: str, form: str) -> None:
    assert ask(api, alice, accept).headers["Content-Type"].partition(";")[0] == form


def test_a_refusal_is_a_problem_document_for_those_who_accept_csv_too(api: Any, alice: User) -> None:
    answer = ask(api, alice, "text/csv", window="week")
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["code"] == "invalid"


def test_other_endpoints_speak_no_csv(api: Any, alice: User) -> None:
    answer = api(alice).get("/auth/account/usage", accept="text/csv")
    assert answer.headers["Content-Type"] == "application/json"


def test_it_needs_the_scope_to_read_usage(api: Any, alice: User, organization: Organization) -> None:
    _, secret = factories.key(organization, created_by=alice, permissions=["account:read"])
    answer = ask(api, secret, "text/csv")
    assert (answer.status_code, answer.json()["required_scopes"]) == (403, ["usage:read"])


def test_without_a_credential_there_is_nothing(anonymous: Any) -> None:
    assert anonymous.get(USAGE, accept="text/csv").status_code == 401
