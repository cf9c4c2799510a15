"""GET /v1/whoami: what a credential is, and what it may currently do."""

from typing import Any

from accounts import scopes
from accounts.models import Membership, Organization, User
from apikeys import keys
from tests import factories

PATH = "/v1/whoami"


def test_an_access_token_is_its_person_in_an_organization(api: Any, bob: User, organization: Organization) -> None:
    shown = api(bob).get(PATH).json()
    assert shown["kind"] == "token"
    assert shown["id"] == f"user:{bob.pk}"
    assert shown["user"] == {"id": bob.pk, "email": bob.email, "name": "Bob", "timezone": "UTC"}
    assert shown["organization"]["id"] == organization.public_id
    assert set(shown["scopes"]) == scopes.BY_ROLE["viewer"]
    assert shown["missing_scopes"] == []


def test_it_tells_what_was_granted_and_is_lost(api: Any, alice: User, organization: Organization) -> None:
    client = api(alice)
    Membership.objects.filter(user=alice).update(role="viewer")
    shown = client.get(PATH).json()
    assert set(shown["scopes"]) == scopes.BY_ROLE["viewer"]
    assert set(shown["missing_scopes"]) == scopes.BY_ROLE["owner"] - scopes.BY_ROLE["viewer"]


def test_an_api_key_acts_for_its_organization_with_its_creator(
    api: Any, alice: User, organization: Organization
) -> None:
    permissions = ["messaging:send", "usage:read", "account:read"]
    key, secret = factories.key(organization, created_by=alice, permissions=permissions)
    shown = api(secret).get(PATH).json()
    assert (shown["kind"], shown["id"]) == ("api_key", key.public_id)
    assert shown["user"]["id"] == alice.pk
    assert shown["organization"]["id"] == organization.public_id
    assert shown["scopes"] == ["account:read", "usage:read"]
    assert shown["permissions"] == permissions


def test_a_keys_time_zone_is_its_organizations(api: Any, db: None) -> None:
    carol = factories.user("carol", timezone="Asia/Tokyo")
    organization = factories.organization(owner=carol)
    _, secret = factories.key(organization, created_by=carol)
    assert api(secret).get(PATH).json()["timezone"] == "UTC"
    assert api(carol).get(PATH).json()["timezone"] == "Asia/Tokyo"


def test_a_platform_key_is_nobodys_and_acts_for_no_organization(gateway: Any) -> None:
    shown = gateway.get(PATH).json()
    assert shown["kind"] == "platform_key"
    assert (shown["user"], shown["organization"]) == (None, None)
    assert set(shown["scopes"]) == scopes.GATEWAY


def test_no_credential_has_more_than_its_permissions(api: Any, alice: User, organization: Organization) -> None:
    _, secret = keys.create(organization, name="plain", created_by=alice)
    assert api(secret).get(PATH).json()["scopes"] == []
    assert api(secret).get("/v1/organizations").json()["code"] == "insufficient_scope"


def test_it_shows_no_secret(api: Any, alice: User, organization: Organization) -> None:
    _, secret = factories.key(organization, created_by=alice)
    assert secret not in api(secret).get(PATH).content.decode()


def test_it_needs_a_credential(anonymous: Any, db: None) -> None:
    assert anonymous.get(PATH).status_code == 401
