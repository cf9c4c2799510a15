"""The page of a key, and what can be done with it there."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Organization, User
from apikeys import keys
from apikeys.models import ApiKey, ApiKeySecret
from tests import factories
from tests.browser import at, messages_of, signed_in, text
from tests.conftest import Api
from tests.usage.metering.batches import event, record


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def key(alice: User, funded: Organization) -> ApiKey:
    limits = {"rate_limit": 10, "rate_limit_window_seconds": 60, "monthly_budget": Decimal(2)}
    return factories.key(funded, created_by=alice, permissions=["a:b", "usage:read"], **limits)[0]


def page(browser: Client, key: ApiKey, rest: str = "") -> Any:
    assert key.organization is not None
    return browser.get(at(key.organization, f"keys/{key.public_id}/{rest}"))


def send(browser: Client, key: ApiKey, rest: str, **fields: Any) -> Any:
    assert key.organization is not None
    return browser.post(at(key.organization, f"keys/{key.public_id}/{rest}"), fields)


def edited(**fields: Any) -> dict[str, Any]:
    """The form as the page shows it, with other values in some fields."""
    form = {"name": "Test key", "permissions": "a:b", "scopes": ["usage:read"], "rate_limit": 10}
    return {**form, "rate_limit_window_seconds": 60, "monthly_budget": 2, **fields}


def test_it_shows_what_the_key_did_and_may_do(browser: Client, key: ApiKey, funded: Organization) -> None:
    usage = event(
        funded, meter="sms", endpoint="/send", occurred_at=(timezone.now() - timedelta(seconds=5)).isoformat()
    )
    record({**usage, "key_id": key.public_id, "organization": None}, event(funded))
    shown = page(browser, key)
    assert (shown.context["today"].requests, shown.context["total"].requests) == (1, 1)
    assert [line["label"] for line in shown.context["lines"]] == ["/send"]
    for fact in ("10 calls in 60 s", "0.01 of 2 credits", "Anywhere", 'width="0.5%"'):
        assert fact in text(shown)
    assert f'href="{at(funded)}keys/{key.public_id}/"' in text(browser.get(at(funded, "keys/")))


def test_an_edit_changes_what_was_changed(browser: Client, key: ApiKey) -> None:
    form = text(page(browser, key, "edit/"))
    assert 'value="Test key"' in form
    answer = send(
        browser, key, "edit/", **edited(name="Renamed", allowed_cidrs="203.0.113.7\n10.1.2.3/8", rate_limit=5)
    )
    assert (answer.status_code, messages_of(answer)) == (302, ["The key Renamed is saved."])
    key.refresh_from_db()
    assert (key.name, key.allowed_cidrs, key.rate_limit) == ("Renamed", ["203.0.113.7/32", "10.0.0.0/8"], 5)
    assert (key.permissions, key.monthly_budget, key.expires_at) == (["a:b", "usage:read"], Decimal(2), None)


def test_empty_fields_lift_limits(browser: Client, key: ApiKey) -> None:
    send(browser, key, "edit/", **edited(rate_limit="", rate_limit_window_seconds="", monthly_budget="", scopes=[]))
    key.refresh_from_db()
    assert (key.rate_limit, key.rate_limit_window_seconds, key.monthly_budget) == (None, None, None)
    assert key.permissions == ["a:b"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("permissions", "Nonsense"),
        ("allowed_cidrs", "10.0.0.0/99"),
        ("rate_limit", "0"),
        ("rate_limit_window_seconds", ""),
        ("monthly_budget", "-1"),
        ("monthly_budget", "1.0000000001"),
        ("expires_at", "2020-01-01"),
    ],
)
def test_a_bad_value_is_named_and_changes_nothing(browser: Client, key: ApiKey, field: str, value: str) -> None:
    answer = send(browser, key, "edit/", **edited(**{"name": "Renamed", field: value}))
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    assert ApiKey.objects.get(pk=key.pk).name == "Test key"


def test_scopes_of_the_key_that_an_editor_lacks_are_kept(key: ApiKey, alice: User, funded: Organization) -> None:
    keys.update(key, {"permissions": ["a:b", "usage:read", "credits:write"]})
    developer = factories.user("developer")
    factories.join(developer, funded, "developer")
    answer = send(signed_in(developer), key, "edit/", **edited(name="Renamed"))
    key.refresh_from_db()
    assert (answer.status_code, key.name) == (302, "Renamed")
    assert key.permissions == ["a:b", "usage:read", "credits:write"]


def test_a_key_is_disabled_and_enabled_again(browser: Client, key: ApiKey) -> None:
    assert "Requests today" in text(page(browser, key, "disable/"))
    send(browser, key, "disable/")
    assert "Disabled" in text(page(browser, key))
    send(browser, key, "enable/")
    key.refresh_from_db()
    assert key.disabled_at is None


def test_a_rotation_shows_the_new_secret_once(browser: Client, key: ApiKey) -> None:
    seen = key.secrets.get().pk
    answer = send(browser, key, "rotate/", overlap_seconds=3600, secret=seen)
    assert (answer.status_code, "no-store" in answer["Cache-Control"]) == (201, True)
    assert Api(answer.context["secret"]).get("/v1/whoami").status_code == 200
    again = send(browser, key, "rotate/", overlap_seconds=3600, secret=seen)
    assert "rotated already" in messages_of(again)[0]
    assert ApiKeySecret.objects.filter(key=key).count() == 2
    assert "stops working" in text(page(browser, key))


def test_a_rotation_wants_a_time_that_is_offered(browser: Client, key: ApiKey) -> None:
    assert send(browser, key, "rotate/", overlap_seconds=5, secret=key.secrets.get().pk).status_code == 400
    assert send(browser, key, "rotate/", overlap_seconds=0, secret="x").status_code == 400
    assert send(browser, key, "rotate/", overlap_seconds=0, secret=uuid4()).status_code == 302
    assert key.secrets.count() == 1


def test_a_revocation_wants_the_keys_name(browser: Client, key: ApiKey) -> None:
    answer = send(browser, key, "revoke/", confirmation="test key")
    assert (answer.status_code, "not its name" in text(answer)) == (400, True)
    assert ApiKey.objects.get(pk=key.pk).revoked_at is None
    assert send(browser, key, "revoke/", confirmation="Test key").status_code == 302
    assert "Edit" not in text(page(browser, key))


@pytest.mark.parametrize("rest", ["", "edit/", "rotate/", "disable/", "revoke/"])
def test_who_may_not_see_it_gets_nothing(charlie: User, bob: User, key: ApiKey, rest: str) -> None:
    assert page(signed_in(charlie), key, rest).status_code == 404
    assert send(signed_in(charlie), key, rest or "enable/").status_code == 404
    assert page(signed_in(bob), key, rest).status_code == (403 if rest else 200)
    assert "Revoke" not in text(page(signed_in(bob), key))
