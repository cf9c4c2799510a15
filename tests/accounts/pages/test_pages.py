"""People in the browser: signing up and in, where they land, and whose pages they may see."""

from typing import Any
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.db import OperationalError
from django.test import Client, RequestFactory

from accounts import people, security
from accounts.lib.problems import TooManyRequests
from accounts.models import Membership, Organization, SecurityPolicy, User
from config import problems
from tests import factories
from tests.browser import at, messages_of, signed_in, text

PAGES = ["", "credits/", "credits/ledger/", "keys/"]
PASSWORD = "a long enough passphrase"


@pytest.fixture
def visitor(db: None) -> Client:
    return Client(raise_request_exception=False)


def sign_up(visitor: Client, **fields: str) -> Any:
    form_data = {"name": "Grace Hopper", "email": "grace@example.com", "password1": PASSWORD, **fields}
    return visitor.post("/accounts/signup/", form_data)


def test_signing_up_leads_to_the_overview_of_ones_own_organization(visitor: Client) -> None:
    answer = visitor.get(sign_up(visitor)["Location"], follow=True)
    mine = User.objects.get(email="grace@example.com").current_organization
    assert mine is not None
    assert mine.name == "Grace Hopper"
    assert answer.redirect_chain == [(at(mine), 302)]
    assert "<h1>Grace Hopper</h1>" in text(answer)


def test_a_person_and_a_company_are_two_names(visitor: Client) -> None:
    sign_up(visitor, organization_name="Navy")
    grace = User.objects.get(email="grace@example.com")
    assert (grace.name, Organization.objects.visible_to(grace).get().name) == ("Grace Hopper", "Navy")


def test_signing_up_takes_the_browsers_time_zone(visitor: Client) -> None:
    sign_up(visitor, timezone="Asia/Kathmandu")
    grace = User.objects.get(email="grace@example.com")
    assert grace.timezone == "Asia/Kathmandu"
    assert Organization.objects.visible_to(grace).get().timezone == "Asia/Kathmandu"


def test_a_time_zone_that_does_not_exist_becomes_utc(visitor: Client) -> None:
    sign_up(visitor, timezone="Mars/Olympus")
    assert User.objects.get(email="grace@example.com").timezone == "UTC"


@pytest.mark.parametrize(
    "wrong", [{"email": "not an address"}, {"email": f"{'a' * 246}@b.de"}, {"password1": "short"}, {"name": "x\0y"}]
)
def test_a_wrong_sign_up_makes_nobody(visitor: Client, wrong: dict[str, str]) -> None:
    answer = sign_up(visitor, **wrong)
    assert "<title>Error: Create an account" in text(answer)
    assert not User.objects.exists()


def test_signing_up_twice_with_one_email_is_refused(visitor: Client) -> None:
    factories.user()
    taken = User.objects.get().email
    assert "already" in text(sign_up(visitor, email=taken.upper()))
    assert User.objects.count() == 1


def test_of_two_sign_ups_at_once_the_second_is_told(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(user: User, **options: Any) -> None:
        raise people.EmailTaken

    monkeypatch.setattr(people, "sign_up", late)
    answer = sign_up(visitor)
    assert answer["Location"] == "/accounts/signup/"
    assert messages_of(answer) == ["This email has an account already."]


def test_signing_in_leads_home(visitor: Client, alice: User, organization: Organization) -> None:
    form_data = {"login": alice.email, "password": factories.PASSWORD}
    assert visitor.post("/accounts/login/", form_data, follow=True).redirect_chain[-1][0] == at(organization)


def test_signing_out_takes_a_post(alice: User) -> None:
    browser = signed_in(alice)
    assert "Sign out" in text(browser.get("/accounts/logout/"))
    assert browser.get("/profile/").status_code == 200
    browser.post("/accounts/logout/")
    assert browser.get("/profile/").status_code == 302


@pytest.mark.parametrize(
    "path", ["login/", "signup/", "password/reset/", "password/reset/done/", "password/reset/key/1-x/"]
)
def test_the_doors_are_pages_of_ours(visitor: Client, path: str) -> None:
    answer = visitor.get(f"/accounts/{path}")
    assert answer.status_code == 200
    assert "tollgate.css" in text(answer)


@pytest.mark.parametrize("path", ["password/change/", "logout/"])
def test_the_pages_of_ones_account_have_the_shell(alice: User, path: str) -> None:
    answer = signed_in(alice).get(f"/accounts/{path}")
    assert answer.status_code == 200
    assert 'class="topbar"' in text(answer)


@pytest.mark.parametrize("path", ["", "confirm-email/", "confirm-email/x/", "reauthenticate/", "login/code/confirm/"])
def test_what_else_allauth_offers_is_not_here(alice: User, path: str) -> None:
    assert signed_in(alice).get(f"/accounts/{path}").status_code == 404


def test_nobody_attaches_another_address(alice: User, charlie: User) -> None:
    form_data = {"action_add": "", "email": charlie.email}
    assert signed_in(alice).post("/accounts/email/", form_data)["Location"].startswith("/accounts/confirm/")
    assert not EmailAddress.objects.exists()


def test_who_has_no_password_is_led_to_choose_one(alice: User) -> None:
    alice.set_unusable_password()
    alice.save()
    answer = signed_in(alice).get("/accounts/password/change/", follow=True)
    assert answer.redirect_chain[-1] == ("/accounts/password/reset/", 302)
    assert "Reset your password" in text(answer)


def test_a_deactivated_person_is_told_so_and_not_let_in(visitor: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    form_data = {"login": alice.email, "password": factories.PASSWORD}
    answer = visitor.post("/accounts/login/", form_data, follow=True)
    assert answer.redirect_chain == [("/accounts/inactive/", 302)]
    assert "inactive" in text(answer)
    assert visitor.get("/profile/").status_code == 302


def test_a_visitor_sees_where_to_sign_in(visitor: Client) -> None:
    page = text(visitor.get("/"))
    assert "/accounts/login/" in page
    assert "/accounts/signup/" in page


@pytest.mark.parametrize("path", PAGES)
def test_a_visitor_is_asked_to_sign_in(visitor: Client, organization: Organization, path: str) -> None:
    answer = visitor.get(at(organization, path))
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next={at(organization, path)}"


@pytest.mark.parametrize("path", PAGES)
def test_an_outsider_gets_the_same_answer_as_for_nothing(charlie: User, organization: Organization, path: str) -> None:
    browser = signed_in(charlie)
    foreign = browser.get(at(organization, path))
    unknown = browser.get(f"/o/acct_0000000000000000/{path}")
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("role", Membership.Role.values)
def test_every_role_may_look(alice: User, organization: Organization, role: str, path: str) -> None:
    person = factories.user()
    factories.join(person, organization, role)
    expected = 403 if (role, path) == ("billing", "keys/") else 200
    assert signed_in(person).get(at(organization, path)).status_code == expected


def test_a_role_in_a_parent_opens_the_pages_of_a_child(alice: User, organization: Organization) -> None:
    child = people.add_child(organization, name="Lab")
    assert signed_in(alice).get(at(child)).status_code == 200


def test_a_role_in_a_child_does_not_open_its_parent(bob: User, organization: Organization) -> None:
    child = people.add_child(organization, name="Lab")
    person = factories.user()
    factories.join(person, child, "owner")
    assert signed_in(person).get(at(organization)).status_code == 404


def test_a_network_that_is_not_allowed_is_refused(alice: User, organization: Organization) -> None:
    SecurityPolicy.objects.create(organization=organization, allowed_networks=["192.0.2.0/24"])
    browser = signed_in(alice)
    assert browser.get(at(organization)).status_code == 403
    assert browser.get(at(organization), REMOTE_ADDR="192.0.2.7").status_code == 200


def test_a_refusal_says_when_to_come_back(
    alice: User, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*args: object) -> None:
        raise TooManyRequests(headers={"Retry-After": "300"})

    monkeypatch.setattr(security, "check", busy)
    answer = signed_in(alice).get(at(organization))
    assert (answer.status_code, answer["Retry-After"]) == (429, "300")


def test_switching_is_remembered(alice: User, organization: Organization) -> None:
    child = people.add_child(organization, name="Lab")
    browser = signed_in(alice)
    assert browser.post(at(child, "switch/"))["Location"] == at(child)
    assert browser.get("/")["Location"] == at(child)


def test_nobody_switches_to_a_foreign_organization(charlie: User, organization: Organization) -> None:
    before = charlie.current_organization
    assert signed_in(charlie).post(at(organization, "switch/")).status_code == 404
    charlie.refresh_from_db()
    assert charlie.current_organization == before


def test_the_switcher_lists_what_the_person_may_see_and_nothing_else(
    alice: User, charlie: User, organization: Organization
) -> None:
    people.add_child(organization, name="A lab of ours")
    other = factories.organization("elsewhere", owner=charlie)
    page = text(signed_in(alice).get(at(organization)))
    assert "A lab of ours" in page
    assert other.name not in page


def test_a_person_without_an_organization_is_told_what_to_do(db: None) -> None:
    loner = User.objects.create_user(f"{uuid4().hex}@example.com")
    answer = signed_in(loner).get("/", follow=True)
    assert "You are in no organization" in text(answer)


def test_the_profile_changes_name_and_time_zone(alice: User) -> None:
    signed_in(alice).post("/profile/", {"name": "Alice B.", "timezone": "Europe/Paris"})
    alice.refresh_from_db()
    assert (alice.name, alice.timezone) == ("Alice B.", "Europe/Paris")


def test_a_profile_with_an_unknown_time_zone_changes_nothing(alice: User) -> None:
    answer = signed_in(alice).post("/profile/", {"name": "Other", "timezone": "Mars/Olympus"})
    assert answer.status_code == 400
    assert User.objects.get(pk=alice.pk).name == alice.name


def test_a_form_needs_its_token(alice: User, organization: Organization) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    answer = browser.post(at(organization, "switch/"))
    assert answer.status_code == 403
    assert "out of date" in text(answer)


def test_an_address_that_only_takes_forms_says_so(alice: User, organization: Organization) -> None:
    answer = signed_in(alice).get(at(organization, "credits/account/"))
    assert answer.status_code == 405
    assert answer["Allow"] == "POST, OPTIONS"
    assert "only takes a form" in text(answer)


@pytest.mark.parametrize("path", ["", "credits/"])
def test_pages_are_not_kept_by_caches(alice: User, organization: Organization, path: str) -> None:
    kept = signed_in(alice).get(at(organization, path))["Cache-Control"]
    assert "private" in kept
    assert "no-cache" in kept


def test_the_error_page_needs_neither_database_nor_session() -> None:
    answer = problems.not_found(RequestFactory().get("/nothing"), Exception())
    assert "There is nothing here." in answer.content.decode()


def test_an_outage_gets_a_page_that_says_when_to_come_back() -> None:
    try:
        raise OperationalError
    except OperationalError:
        answer = problems.server_error(RequestFactory().get("/o/acct_0000000000000000/"))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "tollgate.css" in answer.content.decode()


@pytest.mark.parametrize("email", ["a@\u1c89.com", "\u1c89@example.com", "a@\u2603.example"])
@pytest.mark.parametrize("path", ["login/", "signup/", "password/reset/"])
def test_an_address_without_a_normal_form_breaks_no_page(visitor: Client, path: str, email: str) -> None:
    form_data = {"login": email, "email": email, "password": PASSWORD, "password1": PASSWORD}
    answer = visitor.post(f"/accounts/{path}", form_data)
    assert answer.status_code == 200
    assert "errorlist" in text(answer) or "notice-error" in text(answer)
