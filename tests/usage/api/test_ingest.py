"""POST /v1/usage/events: what takes the fast path, and that the fast path refuses nothing itself."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Organization
from apikeys.models import ApiKey
from tests.conftest import Api
from tests.usage.metering.batches import balance, event
from usage.models import UsageEvent

EVENTS = "/v1/usage/events"


@pytest.fixture
def noted(gateway: Api) -> ApiKey:
    """The gateway's key, whose use was noted within this minute: before that, the view answers."""
    ApiKey.objects.platform().update(last_used_at=timezone.now())
    return ApiKey.objects.platform().get()


def test_a_batch_takes_the_fast_path(
    gateway: Api, noted: ApiKey, funded: Organization, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):  # of the ORM
        answer = gateway.post(EVENTS, {"events": [event(funded, meter="sms"), event(funded, meter="sms")]})
    assert answer.json()["accepted"] == 2
    assert float(balance(funded)) == 99.98


@pytest.mark.parametrize("number", ["1e999999999999999999999", "-1e999999999999999999", "1e-9999", "9" * 5000, '"1e3"'])
def test_an_event_with_a_wild_number_is_rejected_alone(gateway: Api, funded: Organization, number: str) -> None:
    bad = f'{{"id": "bad", "organization": "{funded.public_id}", "meter": "sms", "quantity": {number}}}'
    good = f'{{"id": "good", "organization": "{funded.public_id}", "meter": "sms"}}'
    answer = gateway.post(EVENTS, f'{{"events": [{bad}, {good}]}}').json()

    assert [result["result"] for result in answer["results"]] == ["rejected", "accepted"]
    assert answer["results"][0]["detail"].startswith("quantity: ")
    assert balance(funded) == Decimal("99.99")


@pytest.mark.parametrize("zero", ["0e-16384", "-0e-16384", f"0.{'0' * 16_384}", "0e999999999999999999999"])
def test_a_zero_of_any_scale_is_nothing(gateway: Api, funded: Organization, zero: str) -> None:
    free = f'{{"id": "free", "organization": "{funded.public_id}", "meter": "sms", "quantity": {zero}}}'
    single = f'{{"id": "one", "organization": "{funded.public_id}", "meter": "sms", "quantity": 1.{"0" * 16_384}}}'
    answer = gateway.post(EVENTS, f'{{"events": [{free}, {single}]}}').json()

    assert [result["result"] for result in answer["results"]] == ["accepted", "accepted"]
    assert balance(funded) == Decimal("99.99")


@pytest.mark.parametrize("body", ["{", '{"quantity": NaN}', "[" * 100_000])
def test_what_is_no_json_is_a_problem(gateway: Api, noted: ApiKey, body: str) -> None:
    answer = gateway.client.post(EVENTS, body, content_type="application/json", headers=gateway.headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"revoked_at": timezone.now()}, 401),
        ({"disabled_at": timezone.now()}, 401),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, 401),
        ({"permissions": ["keys:read"]}, 403),
        ({"allowed_cidrs": ["10.0.0.0/8"]}, 403),
    ],
)
def test_a_key_that_may_not_is_refused(
    gateway: Api, noted: ApiKey, funded: Organization, change: dict[str, Any], status: int
) -> None:
    ApiKey.objects.filter(pk=noted.pk).update(**change)
    assert gateway.post(EVENTS, event(funded)).status_code == status
    assert not UsageEvent.objects.of(funded).exists()


def test_the_limit_of_the_platforms_key_counts_batches(gateway: Api, noted: ApiKey, funded: Organization) -> None:
    ApiKey.objects.filter(pk=noted.pk).update(rate_limit=1, rate_limit_window_seconds=3600)
    assert [gateway.post(EVENTS, event(funded)).status_code for _ in range(2)] == [200, 429]


def test_the_use_of_the_key_is_noted_once_a_minute(gateway: Api, noted: ApiKey, funded: Organization) -> None:
    before = timezone.now() - timedelta(minutes=2)
    ApiKey.objects.filter(pk=noted.pk).update(last_used_at=before)
    gateway.post(EVENTS, event(funded))
    assert ApiKey.objects.get(pk=noted.pk).last_used_at > timezone.now() - timedelta(minutes=1)  # type: ignore[operator]
