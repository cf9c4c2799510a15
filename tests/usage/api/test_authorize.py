"""GET|POST /v1/gate/authorize: the headers that a proxy sends and passes on."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Organization
from apikeys import keys
from apikeys.models import ApiKey, RateCount
from billing.models import Hold, LedgerAccount
from tests import factories
from tests.conftest import Api

AUTHORIZE = "/v1/gate/authorize"


@pytest.fixture
def key(funded: Organization) -> tuple[ApiKey, str]:
    return factories.key(funded, permissions=["messaging:send"])


@pytest.fixture
def ask(gateway: Api) -> Callable[..., Any]:
    def call(secret: str = "", method: str = "get", path: str = AUTHORIZE, **headers: str) -> Any:
        named = {f"x_tollgate_{name}": value for name, value in headers.items()}
        return getattr(gateway, method)(path, **({"x_api_key": secret} if secret else {}), **named)

    return call


def test_a_key_that_may_pass(ask: Callable[..., Any], key: tuple[ApiKey, str], funded: Organization) -> None:
    answer = ask(key[1], permission="messaging:send", meter="sms", quantity="2.5", ip="203.0.113.9")
    assert (answer.status_code, answer.content) == (200, b"")
    ours = {name: value for name, value in answer.headers.items() if name.startswith("X-Tollgate")}
    assert ours == {
        "X-Tollgate-Code": "VALID",
        "X-Tollgate-Key-Id": key[0].public_id,
        "X-Tollgate-Organization": funded.public_id,
        "X-Tollgate-Permissions": "messaging:send",
    }
    assert answer.headers["Cache-Control"] == "no-store"
    assert not Hold.objects.exists()


@pytest.mark.parametrize("method", ["get", "post", "head", "put", "delete", "options"])
def test_any_method_asks_the_same(ask: Callable[..., Any], key: tuple[ApiKey, str], method: str) -> None:
    """Caddy and Traefik ask by GET, Envoy by the customer's own method, with the customer's path after ours."""
    answer = ask(key[1], method, f"{AUTHORIZE}/v1/messages", permission="messaging:send")
    assert (answer.status_code, answer.headers["X-Tollgate-Key-Id"]) == (200, key[0].public_id)
    assert ask("sk_live_x", method, f"{AUTHORIZE}/v1/messages").status_code == 401


@pytest.mark.parametrize("path", ["/", "//v1//messages/", "/a%0Ab", "/%FF", "/?to=1"])
def test_any_path_asks_the_same(ask: Callable[..., Any], key: tuple[ApiKey, str], path: str) -> None:
    assert ask(key[1], path=AUTHORIZE + path).status_code == 200
    assert ask("sk_live_x", path=AUTHORIZE + path).status_code == 401


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ("10.0.0.1", 200),
        ("203.0.113.9, 10.0.0.1", 200),
        ("10.0.0.1, 203.0.113.9", 403),
        ("10.0.0.1, ", 400),
        ("unknown", 400),
        ("", 400),
    ],
)
def test_the_address_may_be_the_last_in_x_forwarded_for(
    gateway: Api, funded: Organization, forwarded: str, status: int
) -> None:
    _, secret = factories.key(funded, allowed_cidrs=["10.0.0.0/8"])
    headers = {"x_api_key": secret, "x_tollgate_ip": "X-Forwarded-For", "x_forwarded_for": forwarded}
    assert gateway.get(AUTHORIZE, **headers).status_code == status


def test_a_hold_is_placed_and_captured_by_the_event(
    ask: Callable[..., Any], gateway: Api, key: tuple[ApiKey, str], funded: Organization
) -> None:
    answer = ask(key[1], meter="sms", quantity="3", hold_seconds="60")
    hold = Hold.objects.get()
    assert answer.headers["X-Tollgate-Hold"] == f"hold_{hold.id.hex}"
    assert LedgerAccount.objects.get(pk=funded.root_id).reserved == Decimal("0.03")
    event = {"id": "1", "key_id": key[0].public_id, "meter": "sms", "hold": answer.headers["X-Tollgate-Hold"]}
    assert gateway.post("/v1/usage/events", event).json()["credits"] == 0.01
    hold.refresh_from_db()
    assert hold.captured == Decimal("0.01")


def refusals(funded: Organization) -> dict[str, tuple[int, str, dict[str, str]]]:
    """By verdict: the status, a key that gets it, and what is asked of it."""

    def secret(**fields: Any) -> str:
        return factories.key(funded, **fields)[1]

    revoked, revoked_secret = factories.key(funded)
    keys.revoke(revoked)
    past = timezone.now() - timedelta(seconds=1)
    limited = secret(rate_limit=1, rate_limit_window_seconds=60)
    capped, capped_secret = factories.key(funded)
    ApiKey.objects.filter(pk=capped.pk).update(monthly_budget=Decimal("0.01"))
    return {
        "NOT_FOUND": (401, "sk_live_x", {}),
        "REVOKED": (401, revoked_secret, {}),
        "EXPIRED": (401, secret(expires_at=past), {}),
        "DISABLED": (401, secret(disabled_at=past), {}),
        "IP_NOT_ALLOWED": (403, secret(allowed_cidrs=["10.0.0.0/8"]), {"ip": "203.0.113.9"}),
        "INSUFFICIENT_PERMISSIONS": (403, secret(), {"permission": "messaging:send"}),
        "RATE_LIMITED": (429, limited, {}),
        "BUDGET_EXCEEDED": (402, capped_secret, {"meter": "sms", "quantity": "2"}),
        "INSUFFICIENT_CREDITS": (402, secret(), {"meter": "sms", "quantity": "10001"}),
    }


def test_each_refusal_has_the_status_that_the_customer_should_get(
    ask: Callable[..., Any], funded: Organization
) -> None:
    for code, (status, secret, headers) in refusals(funded).items():
        if code == "RATE_LIMITED":
            assert ask(secret).status_code == 200
        answer = ask(secret, **headers)
        assert (answer.status_code, answer.headers["X-Tollgate-Code"]) == (status, code)
        assert answer.headers["Content-Type"] == "application/problem+json"
        document = answer.json()
        assert (document["status"], document["code"]) == (status, code.lower())
        assert document["request_id"] == answer.headers["X-Request-Id"]
        assert ("WWW-Authenticate" in answer.headers) is (status == 401)
        assert "X-Tollgate-Key-Id" not in answer.headers
        passed_on = ask(secret, refuse_with="403", **headers)
        assert passed_on.status_code == (status if status in {401, 403} else 403)
        assert passed_on.headers["X-Tollgate-Status"] == str(status)
        assert passed_on.headers["X-Tollgate-Problem"].encode() == passed_on.content
    assert not Hold.objects.exists()


def test_a_suspended_organization_is_403(
    ask: Callable[..., Any], key: tuple[ApiKey, str], funded: Organization
) -> None:
    Organization.objects.filter(pk=funded.pk).update(status=Organization.Status.SUSPENDED)
    assert (ask(key[1]).status_code, ask(key[1]).headers["X-Tollgate-Code"]) == (403, "ORGANIZATION_SUSPENDED")


def test_the_headers_of_the_rate_limit_are_the_customers(ask: Callable[..., Any], funded: Organization) -> None:
    _, secret = factories.key(funded, rate_limit=1, rate_limit_window_seconds=60)
    assert ask(secret).headers["RateLimit"] == '"key";r=0;t=60'
    refused = ask(secret)
    assert refused.headers["RateLimit-Policy"] == '"key";q=1;w=60'
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert RateCount.objects.count() == 1


def test_the_customers_key_may_stand_in_authorization(gateway: Api, key: tuple[ApiKey, str]) -> None:
    platform = gateway.headers["authorization"].removeprefix("Bearer ")
    customer = Api(key[1])
    assert customer.get(AUTHORIZE, x_tollgate_platform_key=platform).headers["X-Tollgate-Key-Id"] == key[0].public_id
    assert Api("sk_live_x").get(AUTHORIZE, x_tollgate_platform_key=platform).status_code == 401
    wrong = customer.get(AUTHORIZE, x_tollgate_platform_key="sk_live_x")
    assert (wrong.status_code, "X-Tollgate-Code" in wrong.headers) == (401, False)


@pytest.mark.parametrize("header", ["X-Original-Uri", "X-Forwarded-Uri", ""])
def test_the_customers_key_may_stand_in_the_query(gateway: Api, key: tuple[ApiKey, str], header: str) -> None:
    def status(query: str) -> int:
        address = f"/v1/messages?to=1&{query}"
        path, headers = (AUTHORIZE, {header: address}) if header else (AUTHORIZE + address, {})
        answer = gateway.get(path, **headers, x_tollgate_key_parameter="token")
        return int(answer.status_code)

    assert status(f"token={key[1]}") == 200
    assert status(f"api_key={key[1]}") == 401
    assert status(f"token={key[1]}&token=sk_live_x") == 401


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Meter", "fax"),
        ("Quantity", "1e3"),
        ("Quantity", "-1"),
        ("Hold-Seconds", "0"),
        ("Hold-Seconds", "86401"),
        ("Hold-Seconds", "1.5"),
        ("Ip", "nowhere"),
        ("Permission", "p" * 101),
        ("Refuse-With", "402"),
        ("Permision", "messaging:send"),  # a typo must not switch the check off
    ],
)
def test_a_bad_header_is_named_and_nothing_is_done(
    ask: Callable[..., Any], key: tuple[ApiKey, str], header: str, value: str
) -> None:
    headers = {"meter": "sms", "hold_seconds": "60"} | {header.lower().replace("-", "_"): value}
    answer = ask(key[1], **headers)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/X-Tollgate-{header}"]
    assert not Hold.objects.exists()


def test_an_empty_header_is_none(ask: Callable[..., Any], key: tuple[ApiKey, str]) -> None:
    assert (
        ask(key[1], meter="", quantity="", ip="", permission="", hold_seconds="", key_parameter="").status_code == 200
    )


@pytest.mark.parametrize("secret", ["", "x", "k" * 300, "sk_live_\xff", "a b"])
def test_what_is_no_key_is_401(ask: Callable[..., Any], secret: str) -> None:
    assert (ask(secret).status_code, ask(secret).headers["X-Tollgate-Code"]) == (401, "NOT_FOUND")


def test_only_a_platform_key_with_the_scope_may_ask(
    api: Any, alice: Any, anonymous: Api, key: tuple[ApiKey, str]
) -> None:
    other = keys.create(None, name="reporter", permissions=["usage:write"])[1]
    for client, status in ((anonymous, 401), (Api("sk_live_x"), 401), (Api(key[1]), 403), (api(alice), 403)):
        assert client.get(AUTHORIZE, x_api_key=key[1]).status_code == status
    assert Api(other).get(AUTHORIZE, x_api_key=key[1]).json()["code"] == "insufficient_scope"


def test_the_customers_own_headers_do_nothing(gateway: Api, key: tuple[ApiKey, str]) -> None:
    """A proxy may pass all of them on: the repeated Idempotency-Key of one customer is not the gateway's."""
    headers = {"x_tollgate_meter": "sms", "x_tollgate_hold_seconds": "60", "x_api_key": key[1]}
    headers |= {"idempotency_key": "1", "accept": "text/html", "content_type": "text/plain", "cookie": "sessionid=x"}
    holds = {gateway.post(AUTHORIZE, **headers).headers["X-Tollgate-Hold"] for _ in range(2)}
    assert len(holds) == 2
