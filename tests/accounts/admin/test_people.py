"""The admin of people: an address that an operator changed is the person's only one."""

from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests import factories
from tests.browser import form_of

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
