"""POST /v1/keys/verify/batch: each call as if it were asked after those before it; all of them, or nothing."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Organization
from apikeys.models import ApiKey, RateCount
from billing.models import Hold, LedgerAccount
from tests import factories
from tests.conftest import Api

VERIFY = "/v1/keys/verify"
BATCH = f"{VERIFY}/batch"


@pytest.fixture
def key(funded: Organization) -> tuple[ApiKey, str]:
    return factories.key(funded, permissions=["messaging:send"])


def codes(response: Any) -> list[str]:
    return [result["code"] for result in response.json()["results"]]


def test_the_answers_are_those_of_single_calls_in_order(gateway: Api, key: tuple[ApiKey, str]) -> None:
    calls: list[dict[str, Any]] = [
        {"key": key[1], "meter": "sms", "quantity": 3},
        {"key": "sk_live_x"},
        {"key": key[1], "permission": "voice:call"},
        {"key": key[1], "meter": "sms", "quantity": 10**6, "hold_seconds": 5},
    ]
    assert gateway.post(BATCH, {"calls": calls}).json()["results"] == [
        gateway.post(VERIFY, call).json() for call in calls
    ]


def test_holds_are_placed_one_after_another(gateway: Api, key: tuple[ApiKey, str], funded: Organization) -> None:
    calls = [{"key": key[1], "meter": "sms", "quantity": n, "hold_seconds": 60} for n in (6000, 5000, 4000, 1)]
    results = gateway.post(BATCH, {"calls": calls}).json()["results"]
    assert [result["code"] for result in results] == ["VALID", "INSUFFICIENT_CREDITS", "VALID", "INSUFFICIENT_CREDITS"]
    assert [result["available"] for result in results] == [40, 40, 0, 0]
    assert LedgerAccount.objects.get(pk=funded.pk).reserved == Decimal(100)


def test_a_limit_counts_call_by_call(gateway: Api, funded: Organization) -> None:
    _, secret = factories.key(funded, rate_limit=2, rate_limit_window_seconds=3600)
    assert codes(gateway.post(BATCH, {"calls": [{"key": secret}] * 3})) == ["VALID", "VALID", "RATE_LIMITED"]


def test_a_key_may_be_asked_about_before_anything_moved(gateway: Api, organization: Organization) -> None:
    _, secret = factories.key(organization)
    answer = gateway.post(BATCH, {"calls": [{"key": secret, "meter": "sms", "hold_seconds": 5}, {"key": secret}]})
    assert codes(answer) == ["INSUFFICIENT_CREDITS", "VALID"]


@pytest.mark.parametrize(
    ("bad", "pointer"),
    [
        ({"quantity": -1}, "/calls/3/quantity"),
        ({"meter": "nothing"}, "/calls/3/meter"),
        ({"hold_seconds": 0}, "/calls/3/hold_seconds"),
        ({"key": 1}, "/calls/3/key"),
    ],
)
def test_one_bad_call_refuses_all(gateway: Api, funded: Organization, bad: dict[str, Any], pointer: str) -> None:
    _, secret = factories.key(funded, rate_limit=9, rate_limit_window_seconds=60)
    good = {"key": secret, "meter": "sms", "hold_seconds": 60}
    response = gateway.post(BATCH, {"calls": [good, good, good, {**good, **bad}, good]})
    assert (response.status_code, [error["pointer"] for error in response.json()["errors"]]) == (400, [pointer])
    assert not Hold.objects.exists()
    assert not RateCount.objects.filter(moments__len__gt=0).exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/calls"),
        ({"calls": []}, "/calls"),
        ({"calls": {}}, "/calls"),
        ({"calls": [{"key": "x"}] * 101}, "/calls"),
        ({"calls": [5]}, "/calls/0"),
        ([], ""),
    ],
)
def test_it_takes_1_to_100_calls(gateway: Api, body: Any, pointer: str) -> None:
    response = gateway.post(BATCH, body)
    assert (response.status_code, [error["pointer"] for error in response.json()["errors"]]) == (400, [pointer])


def test_a_hundred_may_be_asked(gateway: Api, key: tuple[ApiKey, str]) -> None:
    assert codes(gateway.post(BATCH, {"calls": [{"key": key[1]}] * 100})) == ["VALID"] * 100


def test_with_an_idempotency_key_each_hold_is_placed_once(gateway: Api, key: tuple[ApiKey, str]) -> None:
    body = {"calls": [{"key": key[1], "meter": "sms", "hold_seconds": 60}] * 2}
    first, again = (gateway.post(BATCH, body, idempotency_key="k") for _ in range(2))
    assert again.content == first.content
    assert Hold.objects.count() == 2


def test_customers_may_not_ask(api: Any, alice: Any) -> None:
    assert api(alice).post(BATCH, {"calls": 5}).json()["code"] == "platform_key_required"
