"""Second factors: a password alone yields no token and no session, and adds and removes no factor."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core import mail
from django.test import Client

from accounts import second_factors, tasks
from accounts.models import BrowserSession, Event, SignInChallenge, User
from tests import factories
from tests.concurrency import race
from tests.conftest import Api
from tests.leaks import tables_with

TOKEN = "/v1/auth/token"
SECURITY = "/accounts/security/"


@pytest.fixture(autouse=True)
def _whole_step() -> Iterator[None]:
    """Each test begins with a step of 30 seconds, so a code that it computes stays good on a slow machine."""
    with time_machine.travel(time.time() // 30 * 30, tick=True):
        yield


def credentials(user: User) -> dict[str, str]:
    return {"email": user.email, "password": factories.PASSWORD}


def totp_code(secret: str) -> str:
    """The present code. allauth takes each code once, so this forgets that it was used."""
    from django.core.cache import cache

    cache.clear()
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def signed_in(user: User, code: str = "") -> Client:
    browser = Client()
    answer = browser.post("/accounts/login/", {"login": user.email, "password": factories.PASSWORD})
    assert answer.status_code == 302
    if code:
        assert answer["Location"] == "/accounts/security/code/"
        assert browser.post("/accounts/security/code/", {"code": code}).status_code == 302
    return browser


def add_app(browser: Client, password: str = factories.PASSWORD) -> str:
    """Adds an authenticator app through the pages, and returns its secret."""
    path = f"{SECURITY}app/add/"
    confirm = browser.get(path)
    assert confirm["Location"].startswith("/accounts/confirm/")
    assert browser.post(confirm["Location"], {"password": password}).status_code == 302
    page = browser.get(path)
    assert b"<svg" in page.content
    assert b"data:image" not in page.content
    secret = browser.session["mfa.totp.secret"]
    done = browser.post(path, {"code": totp_code(secret)})
    assert (done.status_code, done["Location"]) == (302, f"{SECURITY}recovery-codes/")
    return str(secret)


@pytest.fixture
def secret(alice: User) -> str:
    """The secret of alice's authenticator app."""
    return add_app(signed_in(alice))


def test_adding_ends_other_sign_ins_and_tells(alice: User, api: Any, django_capture_on_commit_callbacks: Any) -> None:
    other, program, own = signed_in(alice), api(alice), signed_in(alice)
    with django_capture_on_commit_callbacks(execute=True):
        add_app(own)
    assert own.get("/profile/").status_code == 200
    assert other.get("/profile/").status_code == 302
    assert program.get("/v1/whoami").status_code == 401
    event = Event.objects.get(type="second_factor.added")
    assert (event.data, event.targets) == ({"factor": "totp"}, [f"user:{alice.pk}"])
    assert event.actor == {"kind": "person", "id": f"user:{alice.pk}"}
    tasks.send_emails()
    assert [sent.to for sent in mail.outbox] == [[alice.email]]
    assert "Authenticator app activated" in mail.outbox[0].body


def test_seeds_and_codes_are_encrypted_at_rest(alice: User, secret: str) -> None:
    assert not tables_with(secret)
    codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    assert len(codes) == 10
    assert not any(tables_with(code) for code in codes[:3])


def test_the_api_asks_for_the_factor(anonymous: Any, api: Any, alice: User, secret: str) -> None:
    refused = anonymous.post(TOKEN, credentials(alice))
    assert (refused.status_code, refused.json()["code"]) == (401, "two_factor_required")
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert refused.json()["methods"] == ["recovery_code", "totp"]
    challenge = refused.json()["challenge"]
    assert not tables_with(challenge.removeprefix("ch_"))
    body = {"challenge": challenge, "code": totp_code(secret)}
    pair = anonymous.post(TOKEN, body)
    assert pair.status_code == 200
    assert api(pair.json()["access"]).get("/v1/whoami").status_code == 200
    again = anonymous.post(TOKEN, {**body, "code": totp_code(secret)})
    assert (again.status_code, again.json()["code"]) == (401, "invalid_challenge")


@pytest.mark.parametrize("reason", ["wrong", "used", "another's", "old challenge", "new password", "no challenge"])
def test_a_code_or_challenge_that_is_not_good_gives_no_token(
    anonymous: Any, alice: User, secret: str, charlie: User, reason: str
) -> None:
    from accounts.models import SignInChallenge, TokenFamily

    body = {"challenge": anonymous.post(TOKEN, credentials(alice)).json()["challenge"], "code": totp_code(secret)}
    if reason == "wrong":
        body["code"] = "000000" if body["code"] != "000000" else "111111"
    elif reason == "used":
        assert second_factors.check_code(alice, body["code"], "192.0.2.1")
    elif reason == "another's":
        body["code"] = totp_code(add_app(signed_in(charlie)))
    elif reason == "old challenge":
        SignInChallenge.objects.update(expires_at="2020-01-01T00:00:00Z")
    elif reason == "new password":
        alice.set_password("another horse battery")
        alice.save()
    else:
        body["challenge"] = "ch_unknown"
    refused = anonymous.post(TOKEN, body)
    assert refused.status_code == 401
    assert refused.json()["code"] in ("invalid_second_factor", "invalid_challenge")
    assert not TokenFamily.objects.exists()


def test_the_code_that_added_the_app_is_not_good_again(anonymous: Any, alice: User, secret: str) -> None:
    challenge = anonymous.post(TOKEN, credentials(alice)).json()["challenge"]
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    refused = anonymous.post(TOKEN, {"challenge": challenge, "code": code})
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_second_factor")


def test_a_recovery_code_signs_in_once(anonymous: Any, alice: User, secret: str) -> None:
    code = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()[0]
    statuses = []
    for _ in range(2):
        challenge = anonymous.post(TOKEN, credentials(alice)).json()["challenge"]
        statuses.append(anonymous.post(TOKEN, {"challenge": challenge, "code": code}).status_code)
    assert statuses == [200, 401]


def test_a_session_opens_after_the_factor_only(alice: User, secret: str) -> None:
    browser = signed_in(alice)
    assert "_auth_user_id" not in browser.session
    browser.post("/accounts/security/code/", {"code": "000000"})
    assert "_auth_user_id" not in browser.session
    assert signed_in(alice, totp_code(secret)).get("/profile/").status_code == 200


def test_a_password_alone_removes_no_factor(alice: User, secret: str) -> None:
    browser = signed_in(alice, totp_code(secret))
    remove = f"{SECURITY}app/remove/"
    confirm = browser.get(remove)["Location"]
    assert confirm.startswith(f"{SECURITY}confirm/")
    door = browser.post("/accounts/confirm/", {"password": factories.PASSWORD})
    assert door["Location"].startswith(f"{SECURITY}confirm/")
    browser.post(remove)
    assert second_factors.is_enrolled(alice)
    assert browser.post(confirm, {"code": totp_code(secret)}).status_code == 302  # and goes on with the removal
    assert not Authenticator.objects.filter(user=alice).exists()


def test_a_password_that_was_confirmed_before_the_factor_removes_it_not(alice: User) -> None:
    browser = signed_in(alice)
    add_app(browser)
    records = browser.session["account_authentication_methods"]
    assert [r["method"] for r in records if r.get("reauthenticated")] == ["mfa"]


def test_recovery_codes_are_shown_once(alice: User) -> None:
    browser = signed_in(alice)
    add_app(browser)
    code = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()[0].encode()
    assert code in browser.get(f"{SECURITY}recovery-codes/").content
    assert code not in browser.get(f"{SECURITY}recovery-codes/").content


def test_a_reset_keeps_the_factor(alice: User, anonymous: Any, secret: str) -> None:
    alice.set_password("another horse battery")
    alice.save()
    body = {"email": alice.email, "password": "another horse battery"}
    assert anonymous.post(TOKEN, body).json()["code"] == "two_factor_required"


def test_guesses_at_the_api_and_the_pages_are_one_series(committed: None, settings: Any) -> None:
    """The 64 guesses run at once. Five are looked at, and then the right code is refused as well."""
    alice = factories.user("guessed")
    secret = add_app(signed_in(alice))
    wrong = "000000" if totp_code(secret) != "000000" else "111111"
    challenges = [Api().post(TOKEN, credentials(alice)).json()["challenge"] for _ in range(4)]
    browsers = [signed_in(alice) for _ in range(4)]

    def at_the_api(challenge: str) -> str:
        return str(Api().post(TOKEN, {"challenge": challenge, "code": wrong}).status_code)

    def on_the_page(browser: Client) -> str:
        page = browser.post("/accounts/security/code/", {"code": wrong}).content.decode()
        return "401" if "Incorrect code" in page else "429" if "Too many failed" in page else "?"

    guesses = [partial(at_the_api, challenge) for challenge in challenges * 8]
    guesses += [partial(on_the_page, browser) for browser in browsers * 8]
    assert Counter(race(guesses)) == {"401": 5, "429": 59}
    assert Api().post(TOKEN, {"challenge": challenges[0], "code": totp_code(secret)}).status_code == 429


NONSENSE = ["", "{", "[]", '"x"', "{}", '{"id": "AA", "rawId": "AA", "type": "public-key"}']


@pytest.mark.parametrize("credential", NONSENSE)
def test_a_passkey_that_is_nonsense_signs_nobody_in(db: None, credential: str) -> None:
    browser = Client()
    browser.get("/accounts/login/passkey/", headers={"x-requested-with": "XMLHttpRequest"})
    answer = browser.post("/accounts/login/passkey/", {"credential": credential})
    assert (answer.status_code, "not known here" in answer.content.decode()) == (400, True)
    assert "_auth_user_id" not in browser.session


@pytest.mark.parametrize("credential", NONSENSE)
def test_a_passkey_that_is_nonsense_confirms_nothing(alice: User, credential: str) -> None:
    browser = signed_in(alice)
    key = {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {"attestationObject": "", "x": ""}}
    Authenticator.objects.create(user=alice, type="webauthn", data={"name": "x", "credential": key})
    assert browser.post("/accounts/security/passkeys/confirm/", {"credential": credential}).status_code == 400
    assert browser.get("/accounts/security/tokens/").status_code == 302
    stepping = signed_in(alice)
    with patch("allauth.mfa.webauthn.internal.auth.begin_authentication", return_value={}):  # that key is none
        assert stepping.post("/accounts/security/code/", {"credential": credential}).status_code == 200
    assert "_auth_user_id" not in stepping.session


def test_a_passkey_that_is_nonsense_is_not_added(alice: User) -> None:
    browser, path = signed_in(alice), f"{SECURITY}passkeys/add/"
    browser.post(browser.get(path)["Location"], {"password": factories.PASSWORD})
    browser.get(path)
    for credential in (
        "[]",
        '{"id": 1, "rawId": 2, "response": [], "type": 3}',
        '{"id": "a", "rawId": "a", "response": {}, "type": "public-key"}',
        '{"id": "AAAA", "rawId": "AAAA", "response": {"clientDataJSON": "e30", "attestationObject": "oA"}}',
    ):
        assert browser.post(path, {"name": "x", "credential": credential}).status_code == 200
    assert not Authenticator.objects.exists()


def test_sign_ins_are_listed_and_ended_together(alice: User, anonymous: Any, api: Any) -> None:
    own = signed_in(alice)
    other = Client(headers={"user-agent": "Mozilla/5.0 (Windows NT 10.0; rv:145.0) Gecko/20100101 Firefox/145.0"})
    other.post("/accounts/login/", {"login": alice.email, "password": factories.PASSWORD})
    access = anonymous.post(TOKEN, credentials(alice), user_agent="curl/8.14").json()["access"]
    page = own.get(SECURITY).content.decode()
    assert "Firefox on Windows" in page
    assert "curl" in page
    assert page.count("This session") == 1
    ended = re.findall(r"/accounts/security/sign-ins/[0-9a-f-]{36}/end/", page)
    assert len(ended) == 2
    assert Client().post(ended[0]).status_code == 302  # to sign in
    assert signed_in(factories.user("eve")).post(ended[0]).status_code == 404
    assert own.post(ended[0]).status_code == 302
    assert own.post("/accounts/security/sign-ins/end/").status_code == 302
    assert other.get("/profile/").status_code == 302
    assert api(access).get("/v1/whoami").status_code == 401
    assert own.get("/profile/").status_code == 200
    assert BrowserSession.objects.filter(user=alice).count() == 1


def test_ended_sessions_are_forgotten(alice: User) -> None:
    from django.contrib.sessions.models import Session

    signed_in(alice)
    Session.objects.update(expire_date="2020-01-01T00:00:00Z")
    assert tasks.purge_token_families() == 1
    assert not BrowserSession.objects.exists()


def test_challenges_that_nobody_answers_are_forgotten(anonymous: Any, alice: User, secret: str) -> None:
    assert anonymous.post(TOKEN, credentials(alice)).json()["code"] == "two_factor_required"
    SignInChallenge.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert tasks.purge_token_families() == 1


def test_a_sign_in_at_a_new_place_is_mailed(alice: User, anonymous: Any) -> None:
    anonymous.post(TOKEN, credentials(alice))
    anonymous.post(TOKEN, credentials(alice))
    assert tasks.send_emails() == 0
    Client(REMOTE_ADDR="192.0.2.7", headers={"user-agent": "curl/8.14"}).post(
        TOKEN, credentials(alice), content_type="application/json"
    )
    assert tasks.send_emails() == 1
    assert mail.outbox[0].to == [alice.email]
    assert "Network: 192.0.2.7" in mail.outbox[0].body
    assert "Device: curl" in mail.outbox[0].body
