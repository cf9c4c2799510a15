"""A new address: proved by a code, told to the old one, which can take it back for seven days."""

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts import accepting, email_changes, invitations, sign_in_limits, sign_ins, tasks
from accounts.exports import jobs
from accounts.lib.identifiers import uuid_of
from accounts.lib.problems import Problem
from accounts.models import EmailChange, Export, Invitation, Organization, ServiceAccount, User, WebhookEndpoint
from tests import factories
from tests.accounts.test_second_factors import signed_in
from tests.browser import at

NEW = "new@example.com"


def ask(browser: Client, email: str = NEW) -> None:
    confirm = browser.get("/accounts/email/")["Location"]
    browser.post(confirm, {"password": factories.PASSWORD})
    assert browser.post("/accounts/email/", {"email": email})["Location"] == "/accounts/email/confirm/"
    tasks.send_emails()


def code() -> str:
    bodies = [str(sent.body) for sent in mail.outbox]
    return next(match[0] for body in reversed(bodies) if (match := re.search(r"^\d{8}$", body, re.MULTILINE)))


def change(browser: Client) -> Any:
    return browser.post("/accounts/email/confirm/", {"code": code()})


def undo_link() -> str:
    tasks.send_emails()
    return re.search(r"/accounts/email/undo/\S+", str(mail.outbox[-1].body))[0]  # type: ignore[index]


def test_a_code_changes_it_and_ends_other_sign_ins(alice: User, api: Any) -> None:
    browser, program, old = signed_in(alice), api(alice), alice.email
    ask(browser)
    assert [sent.to for sent in mail.outbox] == [[NEW], [old]]
    alice.refresh_from_db()
    assert alice.email == old
    assert change(browser)["Location"] == "/profile/"
    alice.refresh_from_db()
    assert (alice.email, alice.email_verified_at is None) == (NEW, False)
    assert program.get("/v1/whoami").status_code == 401
    assert browser.get("/profile/").status_code == 200
    assert re.search("undo", undo_link())
    assert mail.outbox[-1].to == [old]


def test_a_wrong_code_changes_nothing(alice: User) -> None:
    browser = signed_in(alice)
    ask(browser)
    assert browser.post("/accounts/email/confirm/", {"code": "00000000"}).status_code == 400
    assert User.objects.filter(email=alice.email).exists()


def test_a_taken_address_gets_an_email_that_says_so(alice: User, charlie: User) -> None:
    browser = signed_in(alice)
    ask(browser, charlie.email)
    assert "has an account already" in mail.outbox[0].body


def test_an_address_that_was_taken_meanwhile_is_refused(alice: User) -> None:
    browser = signed_in(alice)
    ask(browser)
    User.objects.create_user(NEW)
    assert change(browser).status_code == 409
    assert User.objects.filter(email=alice.email).exists()


def test_the_old_address_takes_it_back(alice: User, api: Any) -> None:
    browser, old = signed_in(alice), alice.email
    ask(browser)
    change(browser)
    link = undo_link()
    stranger = Client()
    assert stranger.get(link).status_code == 200
    token = link.partition("token=")[2]
    assert stranger.post("/accounts/email/undo/", {"token": token}).status_code == 302
    alice.refresh_from_db()
    assert (alice.email, alice.has_usable_password()) == (old, False)
    assert browser.get("/profile/").status_code == 302
    assert stranger.post("/accounts/email/undo/", {"token": token}).status_code == 410
    tasks.send_emails()
    assert "/accounts/password/reset/key/" in mail.outbox[-1].body


def test_taking_it_back_ends_what_a_thief_made_since(alice: User, api: Any, organization: Organization) -> None:
    """The keys, endpoints, people and factors of before go on. A key that was rotated since keeps no newer secret."""
    _, owners_secret = factories.key(organization, created_by=alice)
    rotated, _ = factories.key(organization, created_by=alice)
    hook = {"url": "https://example.com/hook", "event_types": ["*"]}
    kept = api(alice).post("/v1/webhook-endpoints", hook).json()["id"]
    led_away = api(alice).post("/v1/webhook-endpoints", hook).json()["id"]
    browser = signed_in(alice)
    ask(browser)
    change(browser)
    link, before = undo_link(), timezone.now() - timedelta(hours=1)
    Authenticator.objects.create(user=alice, type="recovery_codes", data={}, created_at=before)
    alice.refresh_from_db()
    thief, mallory = api(alice), factories.user("mallory")
    made = thief.post("/v1/account/api-keys", {"name": "k", "permissions": ["webhooks:write"]}).json()
    thiefs_key = api(made["api_key"])
    new_secret = thief.post(f"/v1/account/api-keys/{rotated.public_id}/rotate", {}).json()["api_key"]
    token = invitations.token_of(factories.invitation(organization, mallory.email, "owner", by=alice))
    accepting.accept(token, user=mallory)
    assert thief.post("/v1/invitations", {"email": "eve@example.com", "role": "owner"}).status_code == 201
    assert thiefs_key.post("/v1/webhook-endpoints", hook).status_code == 201
    thief.patch(f"/v1/webhook-endpoints/{led_away}", {"url": "https://thief.example/"})
    assert thief.post("/v1/service-accounts", {"name": "s", "role": "admin"}).status_code == 201
    Authenticator.objects.create(user=alice, type="totp", data={})
    jobs.of_organization(organization, by=f"user:{alice.pk}", now=timezone.now())

    assert Client().post("/accounts/email/undo/", {"token": link.partition("token=")[2]}).status_code == 302

    assert thief.get("/v1/whoami").status_code == 401
    assert thiefs_key.get("/v1/whoami").status_code == 401
    assert api(new_secret).get("/v1/whoami").status_code == 401
    assert api(owners_secret).get("/v1/whoami").status_code == 200
    assert list(organization.memberships.filter(user__is_service=False).values_list("user", flat=True)) == [alice.pk]
    assert not Invitation.objects.open().exists()
    living = dict(WebhookEndpoint.objects.of(organization).values_list("pk", "status"))
    assert living == {uuid_of(kept, "we_"): "enabled", uuid_of(led_away, "we_"): "disabled"}
    assert not ServiceAccount.objects.living().exists()
    assert not Export.objects.exists()
    assert list(Authenticator.objects.filter(user=alice).values_list("type", flat=True)) == ["recovery_codes"]


@pytest.mark.parametrize("token", ["", "unknown", "old"])
def test_a_link_that_is_not_good_changes_nothing(alice: User, token: str) -> None:
    browser = signed_in(alice)
    ask(browser)
    change(browser)
    if token == "old":
        token = undo_link().partition("token=")[2]
        EmailChange.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert Client().post("/accounts/email/undo/", {"token": token}).status_code == 410
    assert User.objects.filter(email=NEW).exists()


def test_an_address_that_was_not_proved_is_proved_in_the_same_way(alice: User, api: Any, settings: Any) -> None:
    settings.EMAIL_VERIFICATION = True
    browser = signed_in(alice)
    assert b"Not verified" in browser.get("/profile/").content
    ask(browser, alice.email)
    change(browser)
    alice.refresh_from_db()
    assert alice.has_proved_email
    assert not EmailChange.objects.exists()


def test_a_strangers_attempt_does_not_keep_the_code_of_ones_own_address_away(
    alice: User, charlie: User, settings: Any
) -> None:
    settings.EMAIL_VERIFICATION = True
    User.objects.filter(pk=charlie.pk).update(email_verified_at=timezone.now())
    ask(signed_in(charlie), alice.email)
    browser = signed_in(alice)
    ask(browser, alice.email)
    assert change(browser)["Location"] == "/profile/"
    alice.refresh_from_db()
    assert alice.has_proved_email


def test_the_guessers_own_networks_leave_a_code_as_hard_to_guess(alice: User, monkeypatch: Any) -> None:
    """Who signs in to an account of their own from many networks would else prove any address in a day."""
    monkeypatch.setattr("accounts.sign_in_limits.ACCOUNT_BOUND", 3)
    now, statuses = timezone.now(), []
    attempt = email_changes.begin(alice, NEW, network="", now=now)
    for number in range(5):
        network = f"192.0.2.{number}"
        sign_in_limits.remember(alice, network)
        current = sign_ins.Current()
        with pytest.raises(Problem) as refusal:
            email_changes.finish(alice, NEW, "00000000", only=attempt.pk, network=network, current=current, now=now)
        statuses.append(refusal.value.status)
    assert statuses == [400] * 3 + [429] * 2


def test_former_addresses_are_forgotten_once_they_take_nothing_back(alice: User) -> None:
    browser = signed_in(alice)
    ask(browser)
    change(browser)
    EmailChange.objects.update(expires_at=timezone.now())
    assert tasks.purge_email_codes() == 1


def test_an_address_that_was_never_proved_takes_nothing_back(alice: User, settings: Any) -> None:
    """Otherwise the owner of that mailbox would get an account with the keys of the stranger who made it."""
    settings.EMAIL_VERIFICATION = True
    browser = signed_in(alice)
    ask(browser)
    assert change(browser)["Location"] == "/profile/"
    assert not EmailChange.objects.exists()


@pytest.mark.parametrize("path", ["/accounts/email/", "/accounts/password/reset/", "people/"])
def test_an_address_that_is_too_long_in_its_normal_form_is_refused(
    alice: User, organization: Organization, path: str
) -> None:
    browser = signed_in(alice)
    browser.post("/accounts/confirm/", {"password": factories.PASSWORD})
    long = f"{'a' * 200}@{'ü.' * 12}com"
    path = path if path.startswith("/") else at(organization, path)
    answer = browser.post(path, {"email": long, "role": "viewer"})
    assert b"At most 250 characters" in answer.content
