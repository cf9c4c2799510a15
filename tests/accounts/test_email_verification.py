"""Email verification: a code by email finishes a sign-up, and proving an address later ends what the account had."""

import re
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import accepting, email_codes, invitations, people, tasks, tokens
from accounts.exports import jobs
from accounts.models import (
    EmailCode,
    Event,
    Export,
    Invitation,
    Membership,
    Organization,
    ServiceAccount,
    User,
    WebhookEndpoint,
)
from apikeys.models import ApiKey
from billing.models import Payment
from tests import factories
from tests.concurrency import race
from tests.conftest import Api
from tests.leaks import tables_with

BODY = {"email": "dora@example.com", "password": factories.PASSWORD, "name": "Dora"}


@pytest.fixture(autouse=True)
def _verification(settings: Any) -> None:
    settings.EMAIL_VERIFICATION = True


def sign_up(anonymous: Any, **fields: str) -> Any:
    return anonymous.post("/v1/auth/signup", {**BODY, **fields})


def code_in_mail() -> str:
    tasks.send_emails()
    return re.search(r"^\d{8}$", str(mail.outbox[-1].body), re.MULTILINE)[0]  # type: ignore[index]


def verify(anonymous: Any, code: str, email: str = BODY["email"], **fields: str) -> Any:
    return anonymous.post("/v1/auth/verify", {"email": email, "code": code, **fields})


def test_a_code_makes_the_account(anonymous: Any, api: Any, db: None) -> None:
    sent = sign_up(anonymous, organization_name="Acme")
    assert (sent.status_code, sent.json().keys()) == (202, {"sign_up", "email", "expires_at"})
    assert not User.objects.exists()
    made = verify(anonymous, code_in_mail())
    assert made.status_code == 201
    assert made.json().keys() == {"user", "organization", "access", "refresh"}
    assert (made.json()["user"]["name"], made.json()["organization"]["name"]) == ("Dora", "Acme")
    assert "keys:write" in api(made.json()["access"]).get("/v1/whoami").json()["scopes"]
    assert anonymous.post("/v1/auth/token", {k: BODY[k] for k in ("email", "password")}).status_code == 200


def test_a_free_and_a_taken_address_get_the_same(anonymous: Any, alice: User, db: None) -> None:
    answers, statements = [], []
    for email in (alice.email, "dora@example.com"):
        with CaptureQueriesContext(connection) as queries:
            answers.append(sign_up(anonymous, email=email))
        statements.append([re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in queries.captured_queries])
    taken, free = answers
    assert taken.status_code == free.status_code == 202
    assert taken.json().keys() == free.json().keys()
    assert set(taken.headers) == set(free.headers)
    assert statements[0] == statements[1]
    assert tasks.send_emails() == 2
    assert "has an account already" in mail.outbox[0].body
    assert not re.search(r"\d{8}", str(mail.outbox[0].body))
    assert User.objects.filter(email=alice.email).count() == 1


@pytest.mark.parametrize("reason", ["wrong", "used", "old", "another's"])
def test_a_code_that_is_not_good_changes_nothing(anonymous: Any, db: None, reason: str) -> None:
    sign_up(anonymous)
    code, email = code_in_mail(), BODY["email"]
    if reason == "wrong":
        code = f"{(int(code) + 1) % 10**8:08}"
    elif reason == "used":
        assert verify(anonymous, code).status_code == 201
    elif reason == "old":
        EmailCode.objects.update(expires_at=timezone.now())
    else:
        email = "eve@example.com"
    before = User.objects.count()
    refused = verify(anonymous, code, email)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_code")
    assert refused.json()["errors"][0]["pointer"] == "/code"
    assert User.objects.count() == before


def test_neither_the_code_nor_the_password_is_in_the_database(anonymous: Any, db: None) -> None:
    sign_up(anonymous)
    assert not tables_with(code_in_mail())
    assert not tables_with(factories.PASSWORD)


def test_codes_are_guessed_no_more_often_than_passwords(committed: None, settings: Any) -> None:
    email, settings.EMAIL_VERIFICATION = f"{factories.unique('guess')}@example.com", True
    now = timezone.now()
    row, code = email_codes.issue(EmailCode.Purpose.SIGN_UP, email, {}, network="", now=now)
    wrong = f"{(int(code) + 1) % 10**8:08}"
    guesses = race([partial(lambda: verify(Api(), wrong, email).status_code)] * 24)
    assert sorted(guesses) == [400] * 5 + [429] * 19
    assert verify(Api(), code, email).status_code == 429
    EmailCode.objects.filter(pk=row.pk).delete()


def from_everywhere(count: int) -> list[int]:
    """A stranger's sign-ups for the address, each from another network."""
    mallory = {**BODY, "password": "the password of a stranger"}
    calls = range(count)
    return [
        Api().post("/v1/auth/signup", mallory, x_forwarded_for=f"198.51.100.{number}").status_code for number in calls
    ]


def test_a_network_starts_five_sign_ups_an_hour_for_an_address(anonymous: Any, db: None) -> None:
    assert [sign_up(anonymous).status_code for _ in range(6)] == [202] * 5 + [429]
    assert sign_up(anonymous, email="emil@example.com").status_code == 202


def test_strangers_cannot_keep_the_owners_code_away(anonymous: Any, db: None, settings: Any) -> None:
    """However many sign-ups they start: one email goes out in each window, and its code finishes the owner's own."""
    settings.TRUSTED_PROXIES = 1
    assert from_everywhere(40) == [202] * 40
    assert tasks.send_emails() == 1
    own = sign_up(anonymous, name="Dora").json()
    assert tasks.send_emails() == 0
    assert verify(anonymous, code_in_mail(), sign_up=own["sign_up"]).status_code == 201
    assert anonymous.post("/v1/auth/token", {k: BODY[k] for k in ("email", "password")}).status_code == 200
    assert not EmailCode.objects.exists()


def test_a_code_finishes_nothing_of_another_address_or_purpose(anonymous: Any, api: Any, alice: User) -> None:
    own = sign_up(anonymous).json()["sign_up"]
    code = code_in_mail()
    theirs = sign_up(anonymous, email="eve@example.com").json()["sign_up"]
    row, other = email_codes.issue("change", BODY["email"], {}, network="", now=timezone.now())
    refused = [
        verify(anonymous, code, sign_up=theirs),
        verify(anonymous, code, "eve@example.com", sign_up=own),
        verify(anonymous, other, sign_up=own),
        verify(anonymous, code, sign_up=row.public_id),
    ]
    assert [answer.json()["code"] for answer in refused] == ["invalid_code"] * 4
    assert User.objects.get() == alice


def test_parallel_guesses_over_the_api_and_the_page_are_one_series(committed: None, settings: Any) -> None:
    """64 at once: five are looked at, and then the right code has to wait as well."""
    settings.EMAIL_VERIFICATION = True
    fields = {"email": f"{factories.unique('series')}@example.com", "password1": factories.PASSWORD, "name": ""}
    browsers = [Client() for _ in range(4)]
    for browser in browsers:
        assert browser.post("/accounts/signup/", fields).status_code == 302
    guesses = [partial(lambda: verify(Api(), "00000000", fields["email"]).status_code)] * 32
    guesses += [partial(on_the_page, browser) for browser in browsers * 8]
    assert Counter(race(guesses)) == {400: 5, 429: 59}
    EmailCode.objects.filter(email=fields["email"]).delete()


def on_the_page(browser: Client) -> int:
    page = browser.post("/accounts/verify/", {"code": "00000000"})
    assert page.status_code == 400
    return 429 if "Too many failed" in page.content.decode() else 400


def test_an_address_gets_an_email_in_each_window(anonymous: Any, db: None) -> None:
    codes = set()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(4):
            assert sign_up(anonymous).status_code == 202
            codes.add(code_in_mail())
            clock.shift(email_codes.WINDOW)
    assert len(codes) == len(mail.outbox) == 4


def test_a_code_lives_for_seven_to_ten_minutes(anonymous: Any, db: None) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        own = sign_up(anonymous).json()["sign_up"]
        code = code_in_mail()
        clock.shift(timedelta(minutes=10))
        assert verify(anonymous, code, sign_up=own).status_code == 400
        clock.shift(-timedelta(minutes=3))
        assert verify(anonymous, code, sign_up=own).status_code == 201


def test_while_strangers_guess_the_code_is_one_that_nobody_guesses(anonymous: Any, db: None, monkeypatch: Any) -> None:
    monkeypatch.setattr("accounts.sign_in_limits.ACCOUNT_BOUND", 3)
    assert [verify(anonymous, "00000000").status_code for _ in range(4)] == [400] * 3 + [429]
    sign_up(anonymous)
    tasks.send_emails()
    code = re.search(r"^\d{16}$", str(mail.outbox[-1].body), re.MULTILINE)[0]  # type: ignore[index]
    assert verify(anonymous, code[:8]).status_code == 429
    assert verify(anonymous, code).status_code == 201


def test_a_code_finishes_the_sign_up_of_who_types_it_in(anonymous: Any, db: None) -> None:
    """Otherwise a person who enters the first code in their mailbox would get an account with a stranger's password."""
    strangers = sign_up(anonymous, password="the password of a stranger").json()
    own = sign_up(anonymous).json()
    code = code_in_mail()
    refused = verify(anonymous, code)
    assert (refused.status_code, refused.json()["code"]) == (409, "several_sign_ups")
    assert refused.json()["errors"][0]["pointer"] == "/sign_up"
    for nonsense in ("su_1", "", own["sign_up"][:-1]):
        assert verify(anonymous, code, sign_up=nonsense).status_code == 400
    assert verify(anonymous, code, sign_up=own["sign_up"]).status_code == 201
    assert anonymous.post("/v1/auth/token", {k: BODY[k] for k in ("email", "password")}).status_code == 200
    assert verify(anonymous, code, sign_up=strangers["sign_up"]).status_code == 400


def test_one_that_has_run_out_still_makes_the_others_be_named(anonymous: Any, db: None) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        sign_up(anonymous)
        clock.shift(timedelta(minutes=9))
        sign_up(anonymous, password="the password of a stranger")
        code = code_in_mail()
        clock.shift(timedelta(minutes=2))
        assert verify(anonymous, code).status_code == 409


def test_the_link_of_an_invitation_proves_no_mailbox(
    anonymous: Any, api: Any, alice: User, organization: Organization
) -> None:
    User.objects.update(email_verified_at=timezone.now())
    alice.refresh_from_db()
    token = invitations.token_of(factories.invitation(organization, BODY["email"], by=alice))
    assert sign_up(anonymous, invitation=token).status_code == 202
    assert not User.objects.filter(email=BODY["email"]).exists()
    dora = factories.user("dora")
    User.objects.filter(pk=dora.pk).update(email=BODY["email"])
    refused = api(dora).post("/v1/invitations/accept", {"token": token})
    assert (refused.status_code, refused.json()["code"]) == (403, "email_not_verified")
    User.objects.filter(pk=dora.pk).delete()
    made = verify(anonymous, code_in_mail()).json()
    assert made["organization"]["id"] == organization.public_id


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/account/api-keys", {"name": "k", "permissions": []}),
        ("/v1/invitations", {"email": "eve@example.com", "role": "viewer"}),
        ("/v1/payment-methods", {"gateway_token": "pm_card_visa"}),
        ("/v1/credits/purchases", {"amount": 5}),
        ("/v1/organizations", {"name": "Child"}),
    ],
)
def test_before_that_an_account_only_looks(api: Any, alice: User, path: str, body: Any) -> None:
    person, organization = api(alice), alice.current_organization
    assert organization is not None
    _, secret = factories.key(
        organization, created_by=alice, permissions=["keys:write", "members:write", "account:read"]
    )
    assert person.get("/v1/account/details").status_code == 200
    for caller in (person, api(secret)):
        refused = caller.post(path, body)
        assert refused.status_code == 403
    assert person.post(path, body).json()["code"] == "email_not_verified"
    assert not Payment.objects.exists()
    refusals = person.get("/v1/whoami").json()["refused"]
    assert {"scope": "keys:write", "reason": "email_not_verified"} in refusals


def test_a_reset_ends_what_a_stranger_prepared(
    api: Any, settings: Any, alice: User, organization: Organization
) -> None:
    """The attack: sign up as the victim, make a key, let a second owner in, and wait until the victim comes."""
    settings.EMAIL_VERIFICATION = False
    factories.key(organization, created_by=alice)
    mallory = factories.user("mallory")
    token = invitations.token_of(factories.invitation(organization, mallory.email, "owner", by=alice))
    accepting.accept(token, user=mallory)
    _, by_mallory = factories.key(organization, created_by=mallory)
    factories.invitation(organization, "eve@example.com", "owner", by=mallory)
    account = api(alice).post("/v1/service-accounts", {"name": "Deployment", "role": "admin"}).json()
    api(alice).post("/v1/account/api-keys", {"name": "k", "service_account": account["id"]})
    assert ApiKey.objects.within(organization).unrevoked().count() == 3
    hook = {"url": "https://example.com/hook", "event_types": ["*"]}
    assert api(alice).post("/v1/webhook-endpoints", hook).status_code == 201
    ServiceAccount.objects.update(responsible=None)
    jobs.of_organization(organization, by=f"user:{alice.pk}", now=timezone.now())
    jobs.of_person(alice, now=timezone.now())
    strangers = tokens.issue(alice, organization)
    settings.EMAIL_VERIFICATION = True

    choose_password(alice)

    assert not ApiKey.objects.within(organization).unrevoked().exists()
    assert api(by_mallory).get("/v1/whoami").status_code == 401
    assert list(Membership.objects.filter(organization=organization).values_list("user", flat=True)) == [alice.pk]
    assert api(strangers.access).get("/v1/whoami").status_code == 401
    assert not Invitation.objects.open().exists()
    assert not WebhookEndpoint.objects.of(organization).exists()
    assert not Export.objects.exists()
    assert not ServiceAccount.objects.living().exists()
    types = Event.objects.within(organization).values_list("type", flat=True)
    assert {"member.removed", "webhook_endpoint.deleted", "invitation.revoked", "api_key.revoked"} <= set(types)
    alice.refresh_from_db()
    assert "keys:write" in api(alice).get("/v1/whoami").json()["scopes"]


def test_a_reset_of_a_proved_account_ends_no_key(settings: Any, alice: User, organization: Organization) -> None:
    User.objects.update(email_verified_at=timezone.now())
    key, _ = factories.key(organization, created_by=alice)
    choose_password(alice)
    assert ApiKey.objects.unrevoked().filter(pk=key.pk).exists()


def choose_password(user: User) -> None:
    browser = Client()
    browser.post("/accounts/password/reset/", {"email": user.email})
    tasks.send_emails()
    link = re.search(r"/accounts/password/reset/key/\S+", str(mail.outbox[-1].body))[0]  # type: ignore[index]
    page = browser.get(link)["Location"]
    new = {"password1": "a new horse battery", "password2": "a new horse battery"}
    assert browser.post(page, new).status_code == 302


def test_the_page_finishes_the_sign_up_of_its_own_browser(db: None) -> None:
    browser, stranger = Client(), Client()
    fields = {"email": BODY["email"], "password1": factories.PASSWORD, "name": "Dora", "organization_name": ""}
    theirs = {**fields, "password1": "the password of a stranger"}
    assert stranger.post("/accounts/signup/", theirs)["Location"] == "/accounts/verify/"
    assert browser.post("/accounts/signup/", fields)["Location"] == "/accounts/verify/"
    code = code_in_mail()
    assert browser.post("/accounts/verify/", {"code": "00000000"}).status_code == 400
    assert browser.post("/accounts/verify/", {"code": f"{code[:4]} {code[4:]}"}).status_code == 302
    dora = User.objects.get()
    assert browser.session["_auth_user_id"] == str(dora.pk)
    assert dora.check_password(factories.PASSWORD)
    assert people.current_organization(dora) is not None
    assert stranger.get("/accounts/verify/").status_code == 200
    assert stranger.post("/accounts/verify/", {"code": code}).status_code == 400


def test_the_page_says_nothing_of_a_taken_address(alice: User) -> None:
    fields = {"email": alice.email, "password1": factories.PASSWORD, "name": "", "organization_name": ""}
    taken = Client().post("/accounts/signup/", fields)
    assert (taken.status_code, taken["Location"]) == (302, "/accounts/verify/")


def test_codes_are_forgotten(anonymous: Any, db: None) -> None:
    sign_up(anonymous)
    EmailCode.objects.update(expires_at=timezone.now() - timedelta(hours=2))
    assert tasks.purge_email_codes() == 1
