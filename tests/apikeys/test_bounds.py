"""A key can't make or widen a key with looser bounds than its own; a person can, within their own scopes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts import people
from accounts.models import SecurityPolicy
from apikeys.models import ApiKey
from tests import factories
from tests.billing.api.plivo_client import basic

KEYS = "/v1/account/api-keys"
END = datetime(2100, 1, 1, tzinfo=UTC)
LATER = "2100-01-01T00:00:01Z"
PERMISSIONS = ["keys:read", "keys:write", "account:read", "account:write"]
BOUND: dict[str, Any] = {
    "environment": "test",
    "expires_at": END,
    "allowed_cidrs": ["127.0.0.0/8", "2001:db8::/32"],
    "rate_limit": 100,
    "rate_limit_window_seconds": 60,
    "monthly_budget": Decimal(100),
}


@pytest.fixture
def maker(alice: Any, organization: Any) -> Any:
    """A key that is bound in every way, and its secret."""
    return factories.key(organization, created_by=alice, permissions=PERMISSIONS, **BOUND)


def make(client: Any, **fields: Any) -> Any:
    return client.post(KEYS, {"name": "Made", "environment": "test", **fields})


def made() -> ApiKey:
    return ApiKey.objects.get(name="Made")


def bounds(key: ApiKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in BOUND}


def pointer(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["pointer"]


def test_a_key_that_a_key_makes_is_bound_as_that_is(api: Any, maker: Any) -> None:
    assert make(api(maker[1])).status_code == 201
    assert bounds(made()) == BOUND


@pytest.mark.parametrize(
    "fields",
    [
        {"environment": "live"},
        {"expires_at": LATER},
        {"allowed_cidrs": ["127.0.0.1", "126.0.0.0/7"]},
        {"allowed_cidrs": ["0.0.0.0/0"]},
        {"allowed_cidrs": ["::/0"]},
    ],
)
def test_a_key_makes_none_that_is_less_bound(api: Any, maker: Any, fields: dict[str, Any]) -> None:
    assert pointer(make(api(maker[1]), **fields)) == (400, f"/{next(iter(fields))}")
    assert ApiKey.objects.get() == maker[0]


def test_a_key_makes_one_that_is_more_bound(api: Any, maker: Any) -> None:
    limit = {"limit": 1, "window_seconds": 1}
    fields: dict[str, Any] = {
        "expires_at": "2099-01-01",
        "allowed_cidrs": ["127.1.0.0/16", "2001:db8::1"],
        "rate_limit": limit,
        "monthly_budget": 99.5,
    }
    assert make(api(maker[1]), **fields).status_code == 201
    assert made().expires_at == datetime(2099, 1, 1, tzinfo=UTC)
    assert made().allowed_cidrs == ["127.1.0.0/16", "2001:db8::1/128"]
    assert (made().rate_limit, made().rate_limit_window_seconds) == (1, 1)
    assert made().monthly_budget == Decimal("99.5")


@pytest.mark.parametrize(("limit", "window"), [(101, 60), (2, 1), (51, 59), (100, 59), (1000, 86_400)])
def test_of_two_rate_limits_the_makers_is_taken_where_it_is_tighter(
    api: Any, maker: Any, limit: int, window: int
) -> None:
    make(api(maker[1]), rate_limit={"limit": limit, "window_seconds": window})
    assert (made().rate_limit, made().rate_limit_window_seconds) == (100, 60)


def test_of_two_budgets_the_makers_is_taken_where_it_is_smaller(api: Any, maker: Any) -> None:
    make(api(maker[1]), monthly_budget=100.000000001)
    assert made().monthly_budget == 100


def test_a_live_key_makes_a_test_key(alice: Any, organization: Any, api: Any) -> None:
    _, secret = factories.key(organization, created_by=alice, permissions=PERMISSIONS)
    assert make(api(secret)).status_code == 201


def test_a_persons_token_makes_what_it_likes(alice: Any, api: Any, maker: Any) -> None:
    assert make(api(alice), environment="live").status_code == 201
    assert (made().environment, made().expires_at, made().allowed_cidrs) == ("live", None, [])


def test_a_key_that_is_older_than_the_policy_makes_one_within_the_policy(
    api: Any, maker: Any, organization: Any
) -> None:
    SecurityPolicy.objects.create(organization=organization, longest_key_life_days=30)
    assert make(api(maker[1])).status_code == 201
    assert made().expires_at == made().created_at + timedelta(days=30)


def test_the_token_of_a_subaccount_is_bound_as_its_makers(maker: Any, organization: Any) -> None:
    ApiKey.objects.update(environment="live")  # a test key makes no subaccounts
    client = basic(organization.auth_id, maker[1])
    assert client.post(f"/v1/Account/{organization.auth_id}/Subaccount/", {"name": "Robin"}).status_code == 201
    assert bounds(ApiKey.objects.get(name="Auth token")) == {**BOUND, "environment": "live"}


@pytest.mark.parametrize(
    ("fields", "refused"),
    [({"expires_at": LATER}, "/expires_at"), ({"allowed_cidrs": ["0.0.0.0/0"]}, "/allowed_cidrs")],
)
def test_a_key_does_not_widen_itself(api: Any, maker: Any, fields: dict[str, Any], refused: str) -> None:
    assert pointer(api(maker[1]).patch(f"{KEYS}/{maker[0].public_id}", fields)) == (400, refused)
    assert bounds(ApiKey.objects.get()) == BOUND


def test_a_key_that_lifts_its_bounds_keeps_them(api: Any, maker: Any) -> None:
    fields: dict[str, Any] = {"expires_at": None, "allowed_cidrs": [], "rate_limit": None, "monthly_budget": None}
    assert api(maker[1]).patch(f"{KEYS}/{maker[0].public_id}", fields).status_code == 200
    assert bounds(ApiKey.objects.get()) == BOUND


@pytest.mark.parametrize(
    "freedom", [{"environment": "live"}, {"expires_at": None}, {"allowed_cidrs": []}, {"monthly_budget": None}]
)
@pytest.mark.parametrize("how", ["rotate", "widen"])
def test_a_key_neither_rotates_nor_widens_one_that_is_less_bound(
    alice: Any, organization: Any, api: Any, maker: Any, freedom: dict[str, Any], how: str
) -> None:
    free, _ = factories.key(organization, created_by=alice, **{**BOUND, **freedom})
    path = f"{KEYS}/{free.public_id}"
    client = api(maker[1])
    answer = client.post(f"{path}/rotate", {}) if how == "rotate" else client.patch(path, {"permissions": ["a:b"]})
    assert answer.status_code == 403
    assert (free.secrets.count(), ApiKey.objects.get(pk=free.pk).permissions) == (1, [])


# People


@pytest.fixture
def dave(organization: Any) -> Any:
    """A developer of alice's organization."""
    dave = factories.user("dave")
    factories.join(dave, organization, "developer")
    people.switch(dave, organization)
    return dave


@pytest.fixture
def above(alice: Any, organization: Any) -> ApiKey:
    """A disabled key of alice's, which may do more than dave."""
    key, _ = factories.key(organization, created_by=alice, permissions=["billing:write"], **BOUND)
    ApiKey.objects.filter(pk=key.pk).update(disabled_at=timezone.now())
    return ApiKey.objects.get(pk=key.pk)


@pytest.mark.parametrize(
    "fields",
    [
        {"permissions": ["messaging:send"]},
        {"allowed_cidrs": []},
        {"expires_at": LATER},
        {"rate_limit": None},
        {"monthly_budget": 101},
        {"enabled": True},
    ],
)
def test_nobody_widens_a_key_that_may_do_more_than_they(api: Any, dave: Any, above: ApiKey, fields: Any) -> None:
    answer = api(dave).patch(f"{KEYS}/{above.public_id}", fields)
    assert (answer.status_code, answer.json()["required_scopes"]) == (403, ["billing:write"])
    assert ApiKey.objects.filter(**bounds(above), permissions=["billing:write"], disabled_at=above.disabled_at).exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Renamed"},
        {"permissions": []},
        {"allowed_cidrs": ["127.0.0.1"]},
        {"expires_at": "2099-01-01"},
        {"rate_limit": {"limit": 1, "window_seconds": 60}},
        {"monthly_budget": 1},
        {"enabled": False},
    ],
)
def test_a_key_that_may_do_more_is_narrowed_all_the_same(api: Any, dave: Any, above: ApiKey, fields: Any) -> None:
    assert api(dave).patch(f"{KEYS}/{above.public_id}", fields).status_code == 200
