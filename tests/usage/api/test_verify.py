"""POST /v1/keys/verify: answers and holds; a refused call has no effect."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from time_machine import travel

from accounts.lib import sql
from accounts.models import IdempotencyRecord, Organization
from apikeys import keys
from apikeys.models import ApiKey, RateCount
from billing.models import Hold, LedgerAccount
from tests import factories
from tests.concurrency import race
from tests.conftest import Api
from tests.outages import database_down, redis_down
from usage import metering
from usage.gate import query

VERIFY = "/v1/keys/verify"


@pytest.fixture
def key(funded: Organization) -> tuple[ApiKey, str]:
    return factories.key(funded, permissions=["messaging:send"])


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many statements went to the database in each trip of the gate's."""
    seen: list[int] = []

    def rows(statement: str, parameters: Any) -> Any:
        seen.append(1)
        return sql.rows(statement, parameters)

    def in_one_trip(*steps: Any) -> Any:
        seen.append(len(steps))
        return sql.in_one_trip(*steps)

    fake = type("fake", (), {"rows": staticmethod(rows), "in_one_trip": staticmethod(in_one_trip)})
    monkeypatch.setattr(query, "sql", fake)
    return seen


def reserved(organization: Organization) -> Decimal:
    reserved: Decimal = LedgerAccount.objects.get(pk=organization.root_id).reserved
    return reserved


def pointers(answer: Any) -> list[str]:
    assert answer.status_code == 400
    return [error["pointer"] for error in answer.json()["errors"]]


def test_the_answer(gateway: Api, key: tuple[ApiKey, str], funded: Organization) -> None:
    body = {"key": key[1], "permission": "messaging:send", "meter": "sms", "quantity": "2.5"}
    answer = gateway.post(VERIFY, body)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.content.decode() == (
        f'{{"valid": true, "code": "VALID", "key_id": "{key[0].public_id}", "organization": "{funded.public_id}", '
        '"permissions": ["messaging:send"], "expires_at": null, "cost": 0.025, "available": 100}'
    )


def test_the_answer_about_what_is_no_key(gateway: Api) -> None:
    assert gateway.post(VERIFY, {"key": "sk_live_x", "meter": "sms"}).json() == {
        **{"valid": False, "code": "NOT_FOUND", "key_id": None, "organization": None, "permissions": []},
        **{"expires_at": None, "cost": 0, "available": None},
    }


def test_a_call_takes_one_trip(
    gateway: Api, key: tuple[ApiKey, str], trips: list[int], django_assert_num_queries: Any
) -> None:
    gateway.post(VERIFY, {"key": key[1]})  # which notes that both keys are used
    trips.clear()
    with django_assert_num_queries(0):
        gateway.post(VERIFY, {"key": key[1], "permission": "messaging:send", "meter": "sms"})
        gateway.post(VERIFY, {"key": key[1], "meter": "sms", "hold_seconds": 60})
        gateway.post(VERIFY, {"key": "sk_live_x"})
    assert trips == [1, 1, 1]


def test_a_call_of_a_limited_key_takes_one_trip_too(gateway: Api, funded: Organization, trips: list[int]) -> None:
    _, secret = factories.key(funded, rate_limit=9, rate_limit_window_seconds=60)
    gateway.post(VERIFY, {"key": secret})
    trips.clear()
    gateway.post(VERIFY, {"key": secret, "meter": "sms"})
    gateway.post(VERIFY, {"key": secret, "meter": "sms", "hold_seconds": 60})
    assert trips == [1, 2]  # the lock, and the statement after it


def test_both_keys_are_used_and_once_a_minute(gateway: Api, key: tuple[ApiKey, str]) -> None:
    for second, noted in ((0, 0), (59, 0), (60, 60)):
        with travel(f"2030-01-01T12:{second // 60:02}:{second % 60:02}Z", tick=False):
            gateway.post(VERIFY, {"key": key[1]})
        used = {
            key_row.last_used_at and key_row.last_used_at.minute * 60 + key_row.last_used_at.second
            for key_row in ApiKey.objects.all()
        }
        assert used == {noted}


@pytest.mark.parametrize("field", ["revoked_at", "disabled_at"])
def test_a_refused_key_was_not_used(gateway: Api, key: tuple[ApiKey, str], field: str) -> None:
    ApiKey.objects.filter(pk=key[0].pk).update(**{field: timezone.now()})
    gateway.post(VERIFY, {"key": key[1]})
    assert ApiKey.objects.get(pk=key[0].pk).last_used_at is None


@pytest.mark.parametrize(
    ("bad", "pointer"),
    [
        ({"key": None}, "/key"),
        ({"key": ""}, "/key"),
        ({"key": 5}, "/key"),
        ({"key": "x" * 256}, "/key"),
        ({"key": "a\0b"}, "/key"),
        ({"permission": "\ud800"}, "/permission"),
        ({"permission": "x" * 101}, "/permission"),
        ({"permission": []}, "/permission"),
        ({"meter": ""}, "/meter"),
        ({"meter": "nothing"}, "/meter"),
        ({"quantity": -1}, "/quantity"),
        ({"ip": "elsewhere"}, "/ip"),
        ({"ip": 1}, "/ip"),
        ({"hold_seconds": 0}, "/hold_seconds"),
        ({"hold_seconds": 86_401}, "/hold_seconds"),
        ({"hold_seconds": True}, "/hold_seconds"),
        ({"hold_seconds": 1.5}, "/hold_seconds"),
        ({"hold_seconds": "60"}, "/hold_seconds"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_done(gateway: Api, funded: Organization, bad: Any, pointer: str) -> None:
    made, secret = factories.key(funded, rate_limit=5, rate_limit_window_seconds=60)
    assert pointers(gateway.post(VERIFY, {"key": secret, "meter": "sms", "hold_seconds": 60, **bad})) == [pointer]
    assert not Hold.objects.exists()
    assert not RateCount.objects.filter(pk=f"key:{made.pk}").exists()


def test_every_bad_field_is_named(gateway: Api) -> None:
    assert pointers(gateway.post(VERIFY, {"quantity": "x", "ip": 5})) == ["/quantity", "/ip", "/key"]


def test_a_scoped_address_is_an_address(gateway: Api, funded: Organization) -> None:
    _, secret = factories.key(funded, allowed_cidrs=["fe80::/64"])
    assert gateway.post(VERIFY, {"key": secret, "ip": "fe80::1%eth0"}).json()["code"] == "VALID"


def test_who_may_not_ask_learns_it_before_the_body_is_read(api: Any, alice: Any, key: tuple[ApiKey, str]) -> None:
    for client, status in ((Api(), 401), (Api("sk_live_x"), 401), (api(alice), 403), (api(key[1]), 403)):
        bodies: list[Any] = [{"key": key[1], "hold_seconds": 60, "meter": "sms"}, {"quantity": []}, "{"]
        for body in bodies:
            assert client.post(VERIFY, body).status_code == status
    assert not Hold.objects.exists()


def test_a_platform_key_that_is_no_good_says_why(db: None) -> None:
    made, secret = keys.create_platform("gateway")
    keys.revoke(made)
    answer = Api(secret).post(VERIFY, {"key": "sk_live_x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "key_revoked")


def test_a_platform_key_without_the_scope_may_not_ask(db: None) -> None:
    secret = keys.create(None, name="gateway", permissions=["usage:write"])[1]
    answer = Api(secret).post(VERIFY, {"key": "sk_live_x"})
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


@pytest.mark.parametrize(("network", "status"), [("127.0.0.0/8", 200), ("10.0.0.0/8", 403), ("::/0", 403)])
def test_a_platform_keys_networks_bind_the_gateway(db: None, network: str, status: int) -> None:
    secret = keys.create(None, name="gateway", permissions=["keys:read"], allowed_cidrs=[network])[1]
    assert Api(secret).post(VERIFY, {"key": "sk_live_x"}).status_code == status


def test_a_platform_keys_own_limit_binds_it(key: tuple[ApiKey, str]) -> None:
    limit: dict[str, Any] = {"rate_limit": 2, "rate_limit_window_seconds": 3600}
    secret = keys.create(None, name="gateway", permissions=["keys:read"], **limit)[1]
    assert [Api(secret).post(VERIFY, {"key": key[1]}).status_code for _ in range(3)] == [200, 200, 429]


def test_the_answer_has_the_headers_of_the_customers_limit(gateway: Api, funded: Organization) -> None:
    _, secret = factories.key(funded, rate_limit=2, rate_limit_window_seconds=60)
    with travel("2030-01-01T12:00:15Z", tick=False):
        responses = [gateway.post(VERIFY, {"key": secret}) for _ in range(3)]
    assert [response.json()["code"] for response in responses] == ["VALID", "VALID", "RATE_LIMITED"]
    assert [response.headers["RateLimit"] for response in responses] == [
        '"key";r=1;t=60',
        '"key";r=0;t=60',
        '"key";r=0;t=60',
    ]
    assert {response.headers["RateLimit-Policy"] for response in responses} == {'"key";q=2;w=60'}


def test_the_gate_needs_no_redis(gateway: Api, funded: Organization) -> None:
    _, secret = factories.key(funded, rate_limit=2, rate_limit_window_seconds=60)
    with redis_down():
        assert [gateway.post(VERIFY, {"key": secret}).json()["code"] for _ in range(3)][1:] == ["VALID", "RATE_LIMITED"]


def test_a_key_revoked_between_calls_is_refused(gateway: Api, key: tuple[ApiKey, str]) -> None:
    assert gateway.post(VERIFY, {"key": key[1]}).json()["code"] == "VALID"
    keys.revoke(key[0])
    assert gateway.post(VERIFY, {"key": key[1]}).json()["code"] == "REVOKED"


# Holds


def test_the_cost_is_held(gateway: Api, key: tuple[ApiKey, str], funded: Organization) -> None:
    body = gateway.post(VERIFY, {"key": key[1], "meter": "sms", "quantity": 5, "hold_seconds": 90}).json()
    assert (body["code"], body["cost"], body["available"]) == ("VALID", 0.05, 99.95)
    hold = Hold.objects.get()
    assert body["hold"] == hold.public_id
    assert (hold.account_id, hold.organization_id, hold.key_id) == (funded.pk, funded.pk, key[0].pk)
    assert (hold.amount, hold.expires_at - hold.created_at) == (Decimal("0.05"), timedelta(seconds=90))
    assert reserved(funded) == Decimal("0.05")


def test_an_event_that_names_the_hold_captures_it(gateway: Api, key: tuple[ApiKey, str], funded: Organization) -> None:
    hold = gateway.post(VERIFY, {"key": key[1], "meter": "sms", "hold_seconds": 90}).json()["hold"]
    metering.record([{"id": "e", "key_id": key[0].public_id, "meter": "sms", "hold": hold}])
    assert Hold.objects.get().status == "captured"
    assert reserved(funded) == 0


@pytest.mark.parametrize("more", [{}, {"meter": "sms", "quantity": 0}])
def test_what_costs_nothing_holds_nothing(gateway: Api, key: tuple[ApiKey, str], more: dict[str, Any]) -> None:
    body = gateway.post(VERIFY, {"key": key[1], "hold_seconds": 90, **more}).json()
    assert (body["code"], body["hold"]) == ("VALID", None)
    assert not Hold.objects.exists()


def test_a_test_key_holds_nothing(gateway: Api, organization: Organization) -> None:
    _, secret = factories.key(organization, environment="test")
    body = gateway.post(VERIFY, {"key": secret, "meter": "sms", "hold_seconds": 90}).json()
    assert (body["code"], body["hold"], body["cost"]) == ("VALID", None, 0)


def test_a_refused_call_holds_nothing(gateway: Api, key: tuple[ApiKey, str], funded: Organization) -> None:
    for more in ({"quantity": 10_001}, {"permission": "voice:call"}):
        body = gateway.post(VERIFY, {"key": key[1], "meter": "sms", "hold_seconds": 90, **more}).json()
        assert (body["valid"], body["hold"]) == (False, None)
    assert reserved(funded) == 0


def test_an_overdue_hold_is_in_nobodys_way(gateway: Api, key: tuple[ApiKey, str], funded: Organization) -> None:
    call = {"key": key[1], "meter": "sms", "quantity": 10_000, "hold_seconds": 60}
    with travel("2030-01-01T12:00:00Z", tick=False):
        codes = [gateway.post(VERIFY, call).json()["code"] for _ in range(2)]
    with travel("2030-01-01T12:01:00Z", tick=False):
        assert gateway.post(VERIFY, {**call, "hold_seconds": None}).json()["available"] == 100
        codes.append(gateway.post(VERIFY, call).json()["code"])
    assert codes == ["VALID", "INSUFFICIENT_CREDITS", "VALID"]
    assert reserved(funded) == 100


def test_with_an_idempotency_key_one_hold_is_placed(
    gateway: Api, key: tuple[ApiKey, str], funded: Organization
) -> None:
    call = {"key": key[1], "meter": "sms", "hold_seconds": 60}
    first, again = (gateway.post(VERIFY, call, idempotency_key="k") for _ in range(2))
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Hold.objects.count() == 1
    assert gateway.post(VERIFY, {**call, "quantity": 2}, idempotency_key="k").status_code == 422


def test_what_holds_nothing_leaves_no_record(gateway: Api, key: tuple[ApiKey, str]) -> None:
    gateway.post(VERIFY, {"key": key[1]}, idempotency_key="k")
    assert not IdempotencyRecord.objects.exists()


def test_while_the_database_is_down_the_answer_is_503(committed: None) -> None:
    with database_down():
        (answer,) = race([lambda: Api("sk_live_x").post(VERIFY, {"key": "sk_live_x"})])
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
