"""`POST /v1/usage/events`, as the company's gateway calls it."""

from decimal import Decimal
from typing import Any

import pytest
import simplejson

from accounts.models import Organization
from tests import factories
from tests.conftest import Api
from tests.usage.metering.batches import balance, event
from usage.models import UsageEvent

EVENTS = "/v1/usage/events"


def untouched(organization: Organization) -> bool:
    return balance(organization) == 100 and not UsageEvent.objects.of(organization).exists()


def raw(gateway: Api, body: str | bytes) -> Any:
    return gateway.client.post(EVENTS, body, content_type="application/json", headers=gateway.headers)


def test_one_event_is_a_body_of_its_own(gateway: Api, funded: Organization) -> None:
    answer = gateway.post(EVENTS, event(funded, id="e1", meter="sms"))
    assert answer.status_code == 200
    assert answer.json() == {
        "accepted": 1,
        "duplicate": 0,
        "rejected": 0,
        "credits": 0.01,
        "results": [{"id": "e1", "result": "accepted", "credits": 0.01}],
    }
    assert balance(funded) == Decimal("99.99")


def test_a_bad_event_is_rejected_alone_inside_a_200(gateway: Api, funded: Organization) -> None:
    batch = [event(funded, id="a"), {"quantity": -1}, event(funded, id="a"), event(funded, id="b", quantity=-1), None]
    answer = gateway.post(EVENTS, {"events": batch})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["accepted"], body["duplicate"], body["rejected"], body["credits"]) == (1, 1, 3, 0.001)
    assert [result.get("code") for result in body["results"]] == [None, "missing", None, "invalid", "invalid"]
    assert [result["id"] for result in body["results"]] == ["a", None, "a", "b", None]
    assert body["results"][3]["detail"] == "quantity: Must be from 0 to 1000000000."
    assert balance(funded) == Decimal("99.999")


def test_numbers_are_exact_in_both_directions(gateway: Api, funded: Organization) -> None:
    answer = raw(gateway, simplejson.dumps(event(funded, quantity=Decimal("123456789.123456789"), meter="requests")))
    assert '"credits":123456.789123457' in answer.content.decode().replace(": ", ":")
    assert UsageEvent.objects.of(funded).get().quantity == Decimal("123456789.123456789")
    assert balance(funded) == Decimal(100) - Decimal("123456.789123457")


def test_a_charge_of_a_nanocredit_is_not_written_with_an_exponent(gateway: Api, funded: Organization) -> None:
    answer = gateway.post(EVENTS, event(funded, quantity="0.000001"))
    assert answer.content.count(b"0.000000001") == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([], ""), ("text", ""), (7, ""), ({"events": []}, "/events"), ({"events": {}}, "/events"),
        ({"events": "e1"}, "/events"), ({"events": None}, "/events"), ({"events": [{}] * 1001}, "/events"),
    ],
)  # fmt: skip
def test_a_body_of_another_shape_is_refused(gateway: Api, funded: Organization, body: Any, pointer: str) -> None:
    answer = gateway.post(EVENTS, simplejson.dumps(body))
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert untouched(funded)


@pytest.mark.parametrize("body", ["{", '{"id": NaN}', '{"id": Infinity}', b"\xff\xfe", '{"a":' * 100_000])
def test_what_is_not_json_is_a_400(gateway: Api, funded: Organization, body: str | bytes) -> None:
    assert raw(gateway, body).status_code == 400
    assert untouched(funded)


@pytest.mark.parametrize("field", ["id", "endpoint", "meter", "organization", "key_id"])
@pytest.mark.parametrize("value", ["a\0b", "\ud800", "\n"])
def test_text_that_postgresql_can_not_store_is_rejected_by_name(
    gateway: Api, funded: Organization, field: str, value: str
) -> None:
    good, bad = event(funded, id="good"), {**event(funded), field: value}
    answer = gateway.post(EVENTS, {"events": [bad, good]})
    assert [result["result"] for result in answer.json()["results"]] == ["rejected", "accepted"]
    assert answer.json()["results"][0]["detail"].startswith(f"{field}:")


@pytest.mark.parametrize("number", ["0." + "1" * 20_000, "1E-99999", "1E99999", "1E999999999"])
def test_a_number_that_postgresql_can_not_store_is_rejected_alone(
    gateway: Api, funded: Organization, number: str
) -> None:
    poison = simplejson.dumps(event(funded))[:-1] + f', "properties": {{"n": {number}}}}}'
    good = simplejson.dumps(event(funded))
    answer = raw(gateway, f'{{"events": [{poison}, {good}]}}')
    assert [result["result"] for result in answer.json()["results"]] == ["rejected", "accepted"]


def test_a_retry_with_an_idempotency_key_is_answered_alike(gateway: Api, funded: Organization) -> None:
    body = {"events": [event(funded), event(funded, quantity=-1)]}
    first, again = (gateway.post(EVENTS, body, idempotency_key="batch-1") for _ in range(2))
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert balance(funded) == Decimal("99.999")


def test_a_retry_without_one_is_answered_with_duplicates(gateway: Api, funded: Organization) -> None:
    body = {"events": [event(funded), event(funded)]}
    gateway.post(EVENTS, body)
    assert gateway.post(EVENTS, body).json()["duplicate"] == 2
    assert balance(funded) == Decimal("99.998")


def test_a_customers_credentials_record_nothing(api: Any, alice: Any, funded: Organization) -> None:
    _, secret = factories.key(funded, created_by=alice, permissions=["usage:write"])
    for credential in (alice, secret):
        answer = api(credential).post(EVENTS, event(funded))
        assert answer.status_code == 403
    assert untouched(funded)


def test_nobody_records_nothing(anonymous: Api, funded: Organization) -> None:
    answer = anonymous.post(EVENTS, event(funded))
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="tollgate"')
    assert untouched(funded)
