"""POST /v1/auth/signup: a person, and the organization that is theirs."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts import invitations, people
from accounts.models import Invitation, Membership, Organization, User
from tests import factories
from tests.concurrency import race
from tests.leaks import tables_with

PASSWORD = factories.PASSWORD
PATH = "/v1/auth/signup"


def signed_up(anonymous: Any, **fields: Any) -> Any:
    return anonymous.post(PATH, {"email": "dora@example.com", "password": PASSWORD, **fields})


def test_it_answers_with_the_user_the_organization_and_tokens(anonymous: Any, db: None) -> None:
    response = signed_up(anonymous, name="Dora", timezone="Europe/Paris")
    assert response.status_code == 201
    made = response.json()
    assert made.keys() == {"user", "organization", "access", "refresh"}
    user = User.objects.get(email="dora@example.com")
    assert made["user"] == {"id": user.pk, "email": "dora@example.com", "name": "Dora", "timezone": "Europe/Paris"}
    organization = made["organization"]
    assert organization.keys() == {"id", "auth_id", "name", "parent", "status", "timezone", "created_at"}
    assert (organization["name"], organization["parent"], organization["status"]) == ("Dora", None, "active")
    assert organization["timezone"] == "Europe/Paris"


def test_ids_have_their_documented_forms(anonymous: Any, db: None) -> None:
    organization = signed_up(anonymous).json()["organization"]
    assert organization["id"].startswith("acct_")
    assert len(organization["id"]) == 21
    assert organization["auth_id"].startswith("MA")
    assert len(organization["auth_id"]) == 20


def test_the_new_user_owns_the_organization_and_it_is_current(anonymous: Any, db: None) -> None:
    made = signed_up(anonymous).json()
    user = User.objects.get(pk=made["user"]["id"])
    organization = Organization.objects.get(public_id=made["organization"]["id"])
    assert user.current_organization == organization
    assert list(Membership.objects.values_list("user", "organization", "role")) == [(user.pk, organization.pk, "owner")]


def test_the_tokens_work_at_once(anonymous: Any, api: Any, db: None) -> None:
    made = signed_up(anonymous).json()
    shown = api(made["access"]).get("/v1/whoami").json()
    assert shown["user"] == made["user"]
    assert shown["organization"] == made["organization"]


def test_name_and_timezone_may_be_left_out(anonymous: Any, db: None) -> None:
    made = signed_up(anonymous).json()
    assert made["user"]["name"] == ""
    assert made["user"]["timezone"] == "UTC"
    assert made["organization"]["name"] == "dora@example.com"


def test_the_address_is_kept_in_lower_case(anonymous: Any, db: None) -> None:
    assert signed_up(anonymous, email="Dora@Example.COM").json()["user"]["email"] == "dora@example.com"


@pytest.mark.parametrize("email", ["dora@example.com", "DORA@example.com", "dOrA@EXAMPLE.com"])
def test_an_address_signs_up_once_in_any_case(anonymous: Any, db: None, email: str) -> None:
    signed_up(anonymous)
    response = signed_up(anonymous, email=email)
    assert response.status_code == 409
    assert response.json()["code"] == "email_taken"
    assert response.json()["errors"][0]["pointer"] == "/email"
    assert (User.objects.count(), Organization.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    "email", ["a@bücher.example", "A@BÜCHER.example", "a@bu\u0308cher.example", "a@xn--bcher-kva.example"]
)
def test_a_mailbox_signs_up_once_however_its_domain_is_written(anonymous: Any, db: None, email: str) -> None:
    assert signed_up(anonymous, email="a@bücher.example").json()["user"]["email"] == "a@xn--bcher-kva.example"
    assert signed_up(anonymous, email=email).json()["code"] == "email_taken"
    assert anonymous.post("/v1/auth/token", {"email": email, "password": PASSWORD}).status_code == 200


def test_a_password_is_the_same_in_every_form_of_its_characters(anonymous: Any, db: None) -> None:
    signed_up(anonymous, password="cafe\u0301 ｏｆ the ﬁrst")
    body = {"email": "dora@example.com", "password": "café of the first"}
    assert anonymous.post("/v1/auth/token", body).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", ""),
        ("email", None),
        ("email", f"{'a' * 250}@example.com"),
        ("email", "a@\u1c89.com"),
        ("email", "\u1c89@example.com"),
        ("email", "a@\u2603.example"),
        ("email", "\u0130" * 130 + "@example.com"),  # one letter that is two in lower case
        ("password", "short"),
        ("password", "12345678"),
        ("password", "ｐａｓｓｗｏｒｄ１２３"),
        ("password", "dora@example.com"),
        ("password", "p" * 1025),
        ("password", "correct\0horse battery"),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("timezone", "localtime"),
        ("name", "n" * 101),
        ("name", ["Dora"]),
        ("name", "\ud800"),
        ("organization_name", "n" * 101),
        ("organization_name", "nul\0"),
        ("invitation", "x" * 101),
    ],
)
def test_a_bad_field_is_named_and_nobody_is_made(anonymous: Any, db: None, field: str, value: Any) -> None:
    response = signed_up(anonymous, **{field: value})
    assert response.status_code == 400
    assert {error["pointer"] for error in response.json()["errors"]} == {f"/{field}"}
    assert not User.objects.exists()


@pytest.mark.parametrize("field", ["email", "password"])
def test_a_missing_field_is_named(anonymous: Any, db: None, field: str) -> None:
    body = {"email": "dora@example.com", "password": PASSWORD}
    del body[field]
    response = anonymous.post(PATH, body)
    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == [f"/{field}"]


def test_a_person_and_a_company_are_two_names(anonymous: Any, db: None) -> None:
    made = signed_up(anonymous, name="Dora", organization_name="Acme Inc.").json()
    assert (made["user"]["name"], made["organization"]["name"]) == ("Dora", "Acme Inc.")


@pytest.fixture
def invitation(alice: User, organization: Organization) -> str:
    """The token of alice's invitation of dora."""
    return invitations.token_of(factories.invitation(organization, "dora@example.com", "developer", by=alice))


def test_who_signs_up_by_an_invitation_joins_its_organization_and_gets_none_of_their_own(
    anonymous: Any, api: Any, invitation: str, organization: Organization
) -> None:
    made = signed_up(anonymous, name="Dora", invitation=invitation).json()
    dora = User.objects.get(email="dora@example.com")
    assert made["organization"]["id"] == organization.public_id
    assert list(Membership.objects.filter(user=dora).values_list("organization", "role")) == [
        (organization.pk, "developer")
    ]
    assert dora.current_organization == organization
    assert api(made["access"]).get("/v1/whoami").json()["organization"]["id"] == organization.public_id


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"invitation": "it_unknown"}, 404, "not_found"),
        ({"email": "eve@example.com"}, 409, "invitation_email_mismatch"),
        ({"organization_name": "Mine"}, 400, "invalid"),
    ],
)
def test_an_invitation_that_does_not_fit_makes_nobody(
    anonymous: Any, invitation: str, body: dict[str, str], status: int, code: str
) -> None:
    before = (User.objects.count(), Organization.objects.count())
    refused = signed_up(anonymous, **{"invitation": invitation, **body})
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert (User.objects.count(), Organization.objects.count()) == before


def test_a_revoked_invitation_makes_nobody(anonymous: Any, invitation: str) -> None:
    invitations.withdraw(Invitation.objects.get())
    refused = signed_up(anonymous, invitation=invitation)
    assert (refused.status_code, refused.json()["code"]) == (410, "invitation_revoked")
    assert not User.objects.filter(email="dora@example.com").exists()


def test_it_can_not_be_used_to_become_staff_or_someone_else(anonymous: Any, db: None) -> None:
    made = signed_up(anonymous, id=7, is_staff=True, is_superuser=True, is_active=False).json()
    user = User.objects.get(email="dora@example.com")
    assert made["user"]["id"] == user.pk != 7
    assert (user.is_staff, user.is_superuser, user.is_active) == (False, False, True)


def test_the_password_is_nowhere_in_the_database_nor_in_the_answer(anonymous: Any, db: None) -> None:
    assert PASSWORD not in signed_up(anonymous).content.decode()
    assert tables_with("dora@example.com")
    assert not tables_with(PASSWORD)


def sign_up(email: str) -> User:
    user = User(email=email)
    people.sign_up(user)
    return user


def test_of_many_at_once_with_one_address_exactly_one_wins(committed: None) -> None:
    name = factories.unique("race")
    emails = [f"{name}@example.{'com' if n % 2 else 'COM'}" for n in range(8)]
    results = race([partial(sign_up, email) for email in emails])
    assert [type(result) for result in results if not isinstance(result, User)] == [people.EmailTaken] * 7
    assert User.objects.filter(email=f"{name}@example.com").count() == 1
    assert Membership.objects.filter(user__email=f"{name}@example.com").count() == 1


def test_a_look_before_the_insert_would_let_several_win(committed: None) -> None:
    """The negative control: without the unique index."""
    email, barrier = f"{factories.unique('control')}@example.com", Barrier(8)

    def look_then_insert() -> User:
        if User.objects.filter(email=email).exists():
            raise people.EmailTaken
        barrier.wait(timeout=30)
        return sign_up(email)

    with no_unique_email():
        results = race([look_then_insert] * 8)
        User.objects.filter(email=email).delete()
    assert sum(isinstance(result, User) for result in results) > 1


@contextmanager
def no_unique_email() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT conname FROM pg_constraint WHERE conrelid = 'accounts_user'::regclass AND contype = 'u'")
        (name,) = cursor.fetchone()
        cursor.execute(f"ALTER TABLE accounts_user DROP CONSTRAINT {name}")
        try:
            yield
        finally:
            cursor.execute(f"ALTER TABLE accounts_user ADD CONSTRAINT {name} UNIQUE (email)")


def test_the_database_refuses_an_address_in_upper_case(db: None) -> None:
    user = factories.user()
    refused = pytest.raises(IntegrityError, match="user_email_normal")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET email = 'UPPER@example.com' WHERE id = %s", [user.pk])
    user.refresh_from_db()
    assert user.email.islower()


def test_a_sign_up_that_fails_half_way_leaves_nothing(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_membership ADD CONSTRAINT nobody CHECK (role = '')")
    with pytest.raises(IntegrityError, match="nobody"), transaction.atomic():
        sign_up("half@example.com")
    assert not User.objects.exists()
    assert not Organization.objects.exists()
