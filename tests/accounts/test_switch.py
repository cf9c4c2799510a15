"""POST /v1/auth/switch: tokens for another organization of the person's."""

from datetime import timedelta
from functools import partial
from typing import Any

import jwt
import pytest
import time_machine
from django.utils import timezone

from accounts import people, scopes, tokens
from accounts.models import Organization, TokenFamily, User
from tests import factories
from tests.concurrency import race
from tests.conftest import Api

PATH = "/v1/auth/switch"


@pytest.fixture
def home(bob: User, organization: Organization) -> Organization:
    """Bob's own organization, beside alice's, which is his current one."""
    return Organization.objects.visible_to(bob).exclude(pk=organization.pk).get()


def test_the_new_tokens_are_for_the_other_organization(api: Any, bob: User, home: Organization) -> None:
    response = api(bob).post(PATH, {"organization": home.public_id})
    assert response.status_code == 200
    assert response.json().keys() == {"access", "refresh"}
    shown = api(response.json()["access"]).get("/v1/whoami").json()
    assert shown["organization"]["id"] == home.public_id
    assert "keys:write" in shown["scopes"]  # he owns that one


def test_it_is_current_from_then_on(api: Any, anonymous: Any, bob: User, home: Organization) -> None:
    api(bob).post(PATH, {"organization": home.public_id})
    pair = anonymous.post("/v1/auth/token", {"email": bob.email, "password": factories.PASSWORD}).json()
    assert api(pair["access"]).get("/v1/whoami").json()["organization"]["id"] == home.public_id


def test_the_tokens_before_stay_with_their_organization(api: Any, bob: User, home: Organization) -> None:
    before = api(bob)
    before.post(PATH, {"organization": home.public_id})
    assert before.get("/v1/whoami").json()["organization"]["id"] != home.public_id


def test_a_parents_role_is_enough(api: Any, alice: User, organization: Organization) -> None:
    child = people.add_child(organization, name="Child")
    response = api(alice).post(PATH, {"organization": child.public_id})
    assert api(response.json()["access"]).get("/v1/whoami").json()["organization"]["id"] == child.public_id


def test_a_foreign_organization_and_an_unknown_one_get_the_same_404(
    api: Any, charlie: User, organization: Organization
) -> None:
    client = api(charlie)
    foreign = client.post(PATH, {"organization": organization.public_id}, x_request_id="one")
    unknown = client.post(PATH, {"organization": "acct_0000000000000000"}, x_request_id="one")
    assert foreign.status_code == 404
    assert foreign.content == unknown.content
    charlie.refresh_from_db()
    assert charlie.current_organization != organization
    assert TokenFamily.objects.filter(user=charlie).count() == 1


def test_an_api_key_does_not_speak_for_a_person(api: Any, alice: User, organization: Organization) -> None:
    _, secret = factories.key(organization, created_by=alice)
    response = api(secret).post(PATH, {"organization": organization.public_id})
    assert response.status_code == 403
    assert not TokenFamily.objects.exists()


def test_it_needs_a_credential(anonymous: Any, organization: Organization) -> None:
    assert anonymous.post(PATH, {"organization": organization.public_id}).status_code == 401


@pytest.mark.parametrize("value", [None, "", "a" * 22, "\0", ["acct"], {}])
def test_a_bad_value_is_named(api: Any, alice: User, value: Any) -> None:
    response = api(alice).post(PATH, {"organization": value})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/organization")


def claims(access: str) -> dict[str, Any]:
    return dict(jwt.decode(access, options={"verify_signature": False}))


def test_the_claims_are_those_of_the_new_organization(api: Any, bob: User, home: Organization) -> None:
    before = tokens.issue(bob, bob.current_organization).access
    after = api(before).post(PATH, {"organization": home.public_id}).json()["access"]
    old, new = claims(before), claims(after)
    assert (old["id"], new["id"]) == (Organization.objects.exclude(pk=home.pk).get().public_id, home.public_id)
    assert set(old["scope"].split()) == scopes.BY_ROLE["viewer"]
    assert set(new["scope"].split()) == scopes.BY_ROLE["owner"]
    assert old["sub"] == new["sub"] == str(bob.pk)
    assert old["sid"] == new["sid"]
    assert old["jti"] != new["jti"]


def test_a_refresh_keeps_the_new_organization(api: Any, anonymous: Any, bob: User, home: Organization) -> None:
    pair = api(bob).post(PATH, {"organization": home.public_id}).json()
    again = anonymous.post("/v1/auth/token/refresh", {"refresh": pair["refresh"]}).json()
    assert claims(again["access"])["id"] == home.public_id


def test_the_time_zone_is_the_persons_in_every_organization(api: Any, bob: User, home: Organization) -> None:
    User.objects.filter(pk=bob.pk).update(timezone="Asia/Tokyo")
    pair = api(bob).post(PATH, {"organization": home.public_id}).json()
    assert claims(pair["access"])["timezone"] == "Asia/Tokyo"


def test_the_sign_in_goes_on_with_its_age_and_expiry(api: Any, bob: User, home: Organization) -> None:
    pair = tokens.issue(bob, bob.current_organization)
    before = TokenFamily.objects.values("pk", "created_at", "expires_at").get(user=bob)
    with time_machine.travel(timezone.now() + timedelta(minutes=4), tick=False):
        api(pair.access).post(PATH, {"organization": home.public_id})
    assert TokenFamily.objects.values("pk", "created_at", "expires_at").get(user=bob) == before


def test_it_does_not_outlive_the_sign_in_it_came_from(api: Any, anonymous: Any, bob: User, home: Organization) -> None:
    first = tokens.issue(bob, bob.current_organization)
    switched = api(first.access).post(PATH, {"organization": home.public_id}).json()
    with time_machine.travel(timezone.now() + timedelta(days=30, seconds=1), tick=False):
        assert anonymous.post("/v1/auth/token/refresh", {"refresh": switched["refresh"]}).status_code == 401
    assert anonymous.post("/v1/auth/token/revoke", {"refresh": first.refresh}).status_code == 204
    assert api(switched["access"]).get("/v1/whoami").status_code == 401
    assert anonymous.post("/v1/auth/token/refresh", {"refresh": switched["refresh"]}).status_code == 401


def test_the_refresh_token_before_is_replaced_as_by_a_refresh(
    api: Any, anonymous: Any, bob: User, home: Organization
) -> None:
    first = tokens.issue(bob, bob.current_organization)
    switched = api(first.access).post(PATH, {"organization": home.public_id}).json()
    assert anonymous.post("/v1/auth/token/refresh", {"refresh": first.refresh}).status_code == 409
    with time_machine.travel(timezone.now() + timedelta(seconds=11), tick=False):
        assert anonymous.post("/v1/auth/token/refresh", {"refresh": first.refresh}).status_code == 401
        assert anonymous.post("/v1/auth/token/refresh", {"refresh": switched["refresh"]}).status_code == 401


def test_a_switch_and_a_refresh_that_meet_leave_one_good_refresh_token(committed: None) -> None:
    for _ in range(5):
        dora = factories.user("dora")
        other = factories.organization("other", owner=dora)
        first = tokens.issue(dora, dora.current_organization)
        body = {"organization": other.public_id}
        refresh = partial(Api().post, "/v1/auth/token/refresh", {"refresh": first.refresh})
        answers = race([partial(Api(first.access).post, PATH, body), refresh])
        issued = [answer.json()["refresh"] for answer in answers if answer.status_code == 200]
        exchanged = [Api().post("/v1/auth/token/refresh", {"refresh": token}).status_code for token in issued]
        assert answers[0].status_code == 200
        assert exchanged.count(200) == 1
