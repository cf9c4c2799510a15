"""CloudEvents at `POST /v1/usage/events`: the same answer as for plain events, the same books."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Organization
from tests import factories
from tests.conftest import Api
from tests.properties import search
from tests.usage.metering.batches import balance, event
from tests.usage.metering.cloudevents import BATCH, EVENTS, ONE, cloudevent, send
from usage.metering import cloudevents
from usage.models import UsageEvent


def stored(organization: Organization) -> UsageEvent:
    return UsageEvent.objects.of(organization).get()


def results(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [result["result"] for result in answer.json()["results"]]


def untouched(organization: Organization) -> bool:
    return balance(organization) == 100 and not UsageEvent.objects.of(organization).exists()


def test_one_is_answered_as_a_plain_event_is(gateway: Api, funded: Organization) -> None:
    answer = send(gateway, EVENTS, cloudevent(funded, id="e1", type="sms"))
    assert answer.status_code == 200
    assert answer.json() == {
        "accepted": 1,
        "duplicate": 0,
        "rejected": 0,
        "credits": 0.01,
        "results": [{"id": "e1", "result": "accepted", "credits": 0.01}],
    }
    assert balance(funded) == Decimal("99.99")


def test_every_attribute_finds_its_field(gateway: Api, funded: Organization) -> None:
    data = {"quantity": "2.5", "endpoint": "/hello", "status": 503, "model": "x", "value": 7}
    body = cloudevent(funded, id="a", time="2026-01-02T03:04:05.678Z", type="voice", data=data, traceparent="00-ab")
    assert results(send(gateway, EVENTS, body)) == ["accepted"]
    event = stored(funded)
    assert (event.meter.slug, event.quantity, event.endpoint, event.failed) == ("voice", Decimal("2.5"), "/hello", True)
    assert event.occurred_at == datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
    assert event.properties == {"model": "x", "value": 7}
    assert event.id == "my-app\u00a0a"


@pytest.mark.parametrize(
    "time", ["2026-01-02T03:04:05Z", "2026-01-02t03:04:05z", "2026-01-02T08:49:05.000000001+05:45"]
)
def test_times_are_those_of_rfc_3339(gateway: Api, funded: Organization, time: str) -> None:
    send(gateway, EVENTS, cloudevent(funded, time=time))
    assert stored(funded).occurred_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_subject_may_be_a_key(gateway: Api, funded: Organization) -> None:
    key, _ = factories.key(funded)
    assert results(send(gateway, EVENTS, cloudevent(key))) == ["accepted"]
    assert stored(funded).key == key


@pytest.mark.parametrize(
    "optional",
    [
        {"data": None, "time": None, "datacontenttype": None, "dataschema": None, "data_base64": None},
        {"data": {}, "datacontenttype": "application/json; charset=utf-8", "dataschema": "https://example.com/s"},
        {"data": {"a": 1}, "datacontenttype": "application/vnd.acme+json"},
        {"data": {"a": 1}, "datacontenttype": "text/JSON"},
    ],
)
def test_what_is_optional_may_be_null_or_absent(gateway: Api, funded: Organization, optional: dict[str, Any]) -> None:
    assert results(send(gateway, EVENTS, cloudevent(funded, **optional))) == ["accepted"]


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "subject"])
@pytest.mark.parametrize("value", [..., None, "", 7, ["a"], "a\0b", "\ud800", "x" * 1001])
def test_a_required_attribute_is_named(gateway: Api, funded: Organization, name: str, value: Any) -> None:
    answer = send(gateway, EVENTS, [cloudevent(funded, **{name: value}), cloudevent(funded)])
    assert results(answer) == ["rejected", "accepted"]
    bad = answer.json()["results"][0]
    assert bad["code"] == ("missing" if value in (..., None) else "invalid")
    assert bad["detail"].startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("attributes", "code", "named"),
    [
        ({"specversion": "0.3"}, "invalid", "specversion"),
        ({"specversion": "1.0.2"}, "invalid", "specversion"),
        ({"subject": "MA0123456789ABCDEFGH"}, "invalid", "subject"),
        ({"subject": "customer-1"}, "invalid", "subject"),
        ({"subject": "key_0000000000000000"}, "unknown_key", "subject"),
        ({"subject": "acct_0000000000000000"}, "unknown_organization", "subject"),
        ({"subject": "acct_" + "0" * 90}, "invalid", "subject"),
        ({"type": "fax"}, "unknown_meter", "type"),
        ({"type": "x" * 51}, "invalid", "type"),
        ({"time": "yesterday"}, "invalid", "time"),
        ({"time": 1_700_000_000}, "invalid", "time"),
        ({"time": "9999-01-01T00:00:00Z"}, "in_the_future", "time"),
        ({"data": []}, "invalid", "data"),
        ({"data": "text"}, "invalid", "data"),
        ({"data": 0}, "invalid", "data"),
        ({"data": {"a": "\0"}}, "invalid", "data"),
        ({"data": {"quantity": -1}}, "invalid", "data.quantity"),
        ({"data": {"quantity": "many"}}, "invalid", "data.quantity"),
        ({"data": {"endpoint": 7}}, "invalid", "data.endpoint"),
        ({"data": {"status": 99}}, "invalid", "data.status"),
        ({"data": {"hold": "hold_unknown"}}, "unknown_hold", "data.hold"),
        ({"data_base64": "eyJhIjoxfQ=="}, "invalid", "data_base64"),
        ({"data": {}, "datacontenttype": "text/xml"}, "invalid", "datacontenttype"),
        ({"data": {}, "datacontenttype": "application/jsonp"}, "invalid", "datacontenttype"),
        ({"data": {}, "datacontenttype": 7}, "invalid", "datacontenttype"),
    ],
)
def test_a_bad_one_is_rejected_alone_by_the_name_of_its_attribute(
    gateway: Api, funded: Organization, attributes: dict[str, Any], code: str, named: str
) -> None:
    batch = [cloudevent(funded), cloudevent(funded, id="bad", **attributes), cloudevent(funded)]
    answer = send(gateway, EVENTS, batch)
    assert results(answer) == ["accepted", "rejected", "accepted"]
    bad = answer.json()["results"][1]
    assert (bad["id"], bad["code"], bad["detail"].partition(": ")[0]) == ("bad", code, named)
    assert balance(funded) == Decimal("99.998")


@pytest.mark.parametrize("stranger", [None, 7, "text", [], [{}]])
def test_what_is_no_object_is_rejected_alone(gateway: Api, funded: Organization, stranger: Any) -> None:
    answer = send(gateway, EVENTS, [stranger, cloudevent(funded)])
    assert results(answer) == ["rejected", "accepted"]
    assert answer.json()["results"][0]["id"] is None


@pytest.mark.parametrize(
    ("kind", "body"), [(ONE, []), (ONE, "7"), (ONE, "null"), (BATCH, {}), (BATCH, "7"), (BATCH, [{}] * 1001)]
)
def test_a_body_of_another_shape_is_refused(gateway: Api, funded: Organization, kind: str, body: Any) -> None:
    answer = send(gateway, EVENTS, body, kind)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == ""


def test_a_batch_may_be_empty_as_the_specification_has_it(gateway: Api) -> None:
    assert results(send(gateway, EVENTS, [])) == []


def test_a_batch_of_a_thousand_keeps_its_order(gateway: Api, funded: Organization) -> None:
    batch = [cloudevent(funded, id=str(n), data={"quantity": n if n % 3 else -n - 1}) for n in range(1000)]
    body = send(gateway, EVENTS, batch).json()
    assert [result["id"] for result in body["results"]] == [str(n) for n in range(1000)]
    assert [result["result"] for result in body["results"]] == [
        "accepted" if n % 3 else "rejected" for n in range(1000)
    ]
    assert balance(funded) == 100 - sum(Decimal(n) for n in range(1000) if n % 3) / 1000


def test_numbers_are_exact(gateway: Api, funded: Organization) -> None:
    quantity = Decimal("123456789.123456789")
    send(gateway, EVENTS, cloudevent(funded, data={"quantity": quantity}))
    assert stored(funded).quantity == quantity


def test_the_identity_is_the_source_and_the_id(gateway: Api, funded: Organization) -> None:
    ours, theirs = ({"id": "x", "source": source} for source in ("a", "b"))
    batch = [cloudevent(funded, **ours), cloudevent(funded, **theirs), cloudevent(funded, type="sms", **ours)]
    assert results(send(gateway, EVENTS, batch)) == ["accepted", "accepted", "duplicate"]
    assert results(send(gateway, EVENTS, batch)) == ["duplicate"] * 3
    assert balance(funded) == Decimal("99.998")


def test_a_plain_event_never_has_the_identity_of_a_cloudevent(gateway: Api, funded: Organization) -> None:
    send(gateway, EVENTS, cloudevent(funded, source="a", id="x"))
    own = stored(funded).id
    assert gateway.post(EVENTS, event(funded, id=own)).json()["results"][0]["code"] == "invalid"
    for id in ("x", "a x", "ax"):
        assert gateway.post(EVENTS, event(funded, id=id)).json()["accepted"] == 1


def test_an_id_that_is_long_comes_back_whole_and_counts_once(gateway: Api, funded: Organization) -> None:
    body = cloudevent(funded, id="x" * 1000, source="/" * 1000)
    first, again = (send(gateway, EVENTS, body).json()["results"][0] for _ in range(2))
    assert (first["id"], first["result"], again["result"]) == ("x" * 1000, "accepted", "duplicate")


PRINTABLE = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1, max_size=120)
PAIRS = st.tuples(PRINTABLE, PRINTABLE)


@search(200)
@given(pair=PAIRS, other=PAIRS)
def test_two_pairs_have_two_identities_and_no_plain_id_is_one(pair: Any, other: Any) -> None:
    assert (cloudevents.identity(*pair) == cloudevents.identity(*other)) is (pair == other)
    assert not cloudevents.identity(*pair).isprintable()
    assert len(cloudevents.identity(*pair)) <= 100


@search(200)
@given(text=PRINTABLE, cut=st.integers(1, 119), move=st.integers(1, 119))
def test_where_the_source_ends_matters(text: str, cut: int, move: int) -> None:
    cuts = {place for place in (cut, move) if place < len(text)}
    assert len({cloudevents.identity(text[:place], text[place:]) for place in cuts}) == len(cuts)


def test_a_retry_with_an_idempotency_key_is_answered_alike(gateway: Api, funded: Organization) -> None:
    body = [cloudevent(funded), cloudevent(funded, type="fax")]
    first, again = (send(gateway, EVENTS, body, idempotency_key="batch-1") for _ in range(2))
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert balance(funded) == Decimal("99.999")


@pytest.mark.parametrize("kind", [f"{ONE}; charset=utf-8", "Application/CloudEvents+JSON"])
def test_the_media_type_may_have_parameters_and_capitals(gateway: Api, funded: Organization, kind: str) -> None:
    assert results(send(gateway, EVENTS, cloudevent(funded), kind)) == ["accepted"]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
def test_binary_mode_is_refused_by_name(gateway: Api, funded: Organization, kind: str) -> None:
    headers = {f"ce_{name}": value for name, value in cloudevent(funded).items()}
    answer = send(gateway, EVENTS, "{}", kind or "application/octet-stream", **headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "binary mode" in answer.json()["detail"]
    assert untouched(funded)


@pytest.mark.parametrize("kind", ["application/cloudevents+xml", "application/cloudevents", "text/plain"])
def test_other_media_types_are_not_taken(gateway: Api, funded: Organization, kind: str) -> None:
    assert send(gateway, EVENTS, cloudevent(funded), kind).status_code == 415
    assert untouched(funded)


def test_no_other_endpoint_takes_them(api: Any, alice: Any) -> None:
    assert send(api(alice), "/v1/organizations", {"name": "Child"}, ONE).status_code == 415


@pytest.mark.parametrize(("beyond", "status"), [(0, 200), (1, 413)])
def test_a_body_is_limited_to_4_mib(gateway: Api, funded: Organization, beyond: int, status: int) -> None:
    assert send(gateway, EVENTS, "[]".ljust((4 << 20) + beyond), BATCH).status_code == status
