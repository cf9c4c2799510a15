"""POST /v1/auth/token: email and password for a pair of tokens."""

from typing import Any

import pytest

from accounts.models import Membership, TokenFamily, User
from tests import factories

PATH = "/v1/auth/token"


def signed_in(anonymous: Any, email: str, password: str = factories.PASSWORD, **headers: str) -> Any:
    return anonymous.post(PATH, {"email": email, "password": password}, **headers)


def test_email_and_password_give_a_pair_that_works(anonymous: Any, api: Any, alice: User) -> None:
    response = signed_in(anonymous, alice.email)
    assert response.status_code == 200
    assert response.json().keys() == {"access", "refresh"}
    assert api(response.json()["access"]).get("/v1/whoami").json()["user"]["id"] == alice.pk


def test_the_case_of_the_address_does_not_matter(anonymous: Any, alice: User) -> None:
    assert signed_in(anonymous, alice.email.upper()).status_code == 200


def test_it_is_noted_when_the_person_last_signed_in(anonymous: Any, alice: User) -> None:
    assert alice.last_login is None
    signed_in(anonymous, alice.email)
    alice.refresh_from_db()
    assert alice.last_login


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(anonymous: Any, alice: User) -> None:
    wrong, unknown = signed_in(anonymous, alice.email, "wrong"), signed_in(anonymous, "nobody@example.com")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.headers["WWW-Authenticate"] == "Bearer"
    assert {**wrong.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}
    assert not TokenFamily.objects.exists()


def test_a_deactivated_person_is_answered_like_a_stranger(anonymous: Any, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    response = signed_in(anonymous, alice.email)
    assert (response.status_code, response.json()["code"]) == (401, "invalid_sign_in")
    assert not TokenFamily.objects.exists()


def test_it_is_for_the_organization_that_is_current(anonymous: Any, api: Any, bob: User, organization: Any) -> None:
    access = signed_in(anonymous, bob.email).json()["access"]
    assert api(access).get("/v1/whoami").json()["organization"]["id"] == organization.public_id


def test_it_falls_back_to_an_organization_that_the_person_still_belongs_to(
    anonymous: Any, api: Any, bob: User, organization: Any
) -> None:
    Membership.objects.filter(user=bob, organization=organization).delete()
    access = signed_in(anonymous, bob.email).json()["access"]
    home = Membership.objects.get(user=bob).organization
    assert api(access).get("/v1/whoami").json()["organization"]["id"] == home.public_id


def test_a_person_without_any_organization_signs_in_and_may_do_nothing(anonymous: Any, api: Any, alice: User) -> None:
    Membership.objects.filter(user=alice).delete()
    person = api(signed_in(anonymous, alice.email).json()["access"])
    assert person.get("/v1/whoami").json()["organization"] is None
    refused = person.get("/v1/organizations")
    assert (refused.status_code, refused.json()["code"]) == (403, "organization_required")


@pytest.mark.parametrize("body", [{"email": "a@example.com"}, {"password": "x"}, {"email": None, "password": None}])
def test_a_missing_part_is_named(anonymous: Any, db: None, body: Any) -> None:
    response = anonymous.post(PATH, body)
    assert response.status_code == 400
    missing = {"email", "password"} - {field for field, value in body.items() if value}
    assert {error["pointer"] for error in response.json()["errors"]} == {f"/{field}" for field in missing}


@pytest.mark.parametrize("email", ["a@\u1c89.com", "\u1c89@example.com", "a@\u2603.example", "nobody"])
def test_an_address_without_a_normal_form_is_nobodys(anonymous: Any, db: None, email: str) -> None:
    response = signed_in(anonymous, email)
    assert (response.status_code, response.json()["code"]) == (401, "invalid_sign_in")
