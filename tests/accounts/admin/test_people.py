"""The admin of people: an address that an operator changed is the person's only one."""

from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import tasks
from accounts.models import EmailChange, Event, Organization, User
from tests import factories
from tests.browser import form_of, signed_in

FORMER, NEW = "grace@example.com", "grace@navy.example"


def signs_in(email: str) -> bool:
    answer = Client().post("/accounts/login/", {"login": email, "password": factories.PASSWORD})
    return answer.status_code == 302


def sign_up(email: str) -> int:
    form_data = {"name": "Grace", "email": email, "password1": factories.PASSWORD}
    return Client().post("/accounts/signup/", form_data).status_code


def test_the_former_address_signs_nobody_in_and_is_free(operator: Client, db: None) -> None:
    assert sign_up(FORMER) == 302
    page = reverse("admin:accounts_user_change", args=[User.objects.get(email=FORMER).pk])
    assert operator.post(page, {**form_of(operator.get(page)), "email": NEW}).status_code == 302
    assert [signs_in(FORMER), signs_in(NEW)] == [False, True]
    assert sign_up(FORMER) == 302


def test_an_address_is_normalized_and_is_nobody_elses(operator: Client, alice: User) -> None:
    page = reverse("admin:accounts_user_change", args=[alice.pk])
    for email in ("a@\u2603.example", "a@\u1c89.com"):
        assert operator.post(page, {**form_of(operator.get(page)), "email": email}).status_code == 200
    operator.post(page, {**form_of(operator.get(page)), "email": "A@Bücher.example"})
    alice.refresh_from_db()
    assert alice.email == "a@xn--bcher-kva.example"
    charlie = factories.user("charlie")
    theirs = reverse("admin:accounts_user_change", args=[charlie.pk])
    refused = operator.post(theirs, {**form_of(operator.get(theirs)), "email": "a@bücher.example"})
    assert "has an account already" in refused.content.decode()


@pytest.mark.parametrize("vouches", [False, True])
def test_a_changed_address_is_told_and_not_proved_unless_the_operator_vouches(
    operator: Client, api: Any, alice: User, organization: Organization, vouches: bool
) -> None:
    User.objects.filter(pk=alice.pk).update(email_verified_at=timezone.now())
    EmailChange.objects.create(digest=b"1", user=alice, old="old@example.com", expires_at=timezone.now())
    browser, program, old = signed_in(alice), api(alice), alice.email
    assert browser.get("/profile/").status_code == 200
    page = reverse("admin:accounts_user_change", args=[alice.pk])
    ticked = {"email_is_proved": "on"} if vouches else {}
    operator.post(page, {**form_of(operator.get(page)), "email": NEW, **ticked})
    alice.refresh_from_db()
    assert (alice.email, alice.email_verified_at is not None) == (NEW, vouches)
    assert browser.get("/profile/").status_code == 302
    assert program.get("/v1/whoami").status_code == 401
    assert not EmailChange.objects.exists()
    assert tasks.send_emails() == 2
    assert {sent.to[0] for sent in mail.outbox} == {old, NEW}
    assert all(old in str(sent.body) and NEW in str(sent.body) for sent in mail.outbox)
    event = Event.objects.get(type="user.changed", organization=organization)
    assert (event.data["fields"][0], event.actor["kind"]) == ("email", "operator")  # type: ignore[index]


def test_another_field_leaves_the_proof_and_the_sign_ins(operator: Client, api: Any, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(email_verified_at=timezone.now())
    program = api(alice)
    page = reverse("admin:accounts_user_change", args=[alice.pk])
    operator.post(page, {**form_of(operator.get(page)), "name": "Grace"})
    alice.refresh_from_db()
    assert (alice.name, alice.email_verified_at is None) == ("Grace", False)
    assert program.get("/v1/whoami").status_code == 200
    assert tasks.send_emails() == 0
