"""A new password ends the person's sign-ins at the API, whoever changed it, but not new sign-ins or those of others."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.test import Client

from accounts import tasks, tokens
from accounts.models import TokenFamily, User
from tests import factories
from tests.browser import signed_in

NEW = "another long passphrase"
Way = Callable[[User], Any]


def by_page(person: User) -> Any:
    form_data = {"oldpassword": factories.PASSWORD, "password1": NEW, "password2": NEW}
    return signed_in(person).post("/accounts/password/change/", form_data)


def by_mail(person: User) -> Any:
    browser = Client()
    browser.post("/accounts/password/reset/", {"email": person.email})
    tasks.send_emails()
    (link,) = re.findall(r"/accounts/password/reset/key/\S+", str(mail.outbox[0].body))
    form = browser.get(link)["Location"]
    return browser.post(form, {"password1": NEW, "password2": NEW})


def issue(person: User) -> tokens.Pair:
    return tokens.issue(person, person.current_organization)


def goes_on(api: Any, pair: tokens.Pair) -> list[bool]:
    """The access token, and the refresh token."""
    refreshed = api("").post("/v1/auth/token/refresh", {"refresh": pair.refresh})
    return [api(pair.access).get("/v1/whoami").status_code == 200, refreshed.status_code == 200]


@pytest.mark.parametrize("change", [by_page, by_mail])
def test_it_ends_the_persons_sign_ins(api: Any, alice: User, change: Way) -> None:
    pair = issue(alice)
    assert change(alice).status_code == 302
    assert User.objects.get(pk=alice.pk).check_password(NEW)
    assert goes_on(api, pair) == [False, False]


def test_guesses_at_the_old_one_count_as_at_signing_in(alice: User, anonymous: Any) -> None:
    browser = signed_in(alice)
    for guess in range(5):
        body = {"oldpassword": f"wrong {guess}", "password1": NEW, "password2": NEW}
        assert b"current password" in browser.post("/accounts/password/change/", body).content
    body = {"email": alice.email, "password": factories.PASSWORD}
    assert anonymous.post("/v1/auth/token", body).status_code == 429


@pytest.mark.parametrize("change", [by_page, by_mail])
def test_every_way_takes_a_password_in_any_form_of_its_characters(
    alice: User, anonymous: Any, monkeypatch: pytest.MonkeyPatch, change: Way
) -> None:
    monkeypatch.setitem(globals(), "NEW", "cafe\u0301 ｏｆ the ﬁrst")
    assert change(alice).status_code == 302
    body = {"email": alice.email, "password": "café of the first"}
    assert anonymous.post("/v1/auth/token", body).status_code == 200


def test_a_refused_change_ends_nothing(api: Any, alice: User) -> None:
    pair = issue(alice)
    form_data = {"oldpassword": "wrong", "password1": NEW, "password2": NEW}
    assert signed_in(alice).post("/accounts/password/change/", form_data).status_code == 200
    assert goes_on(api, pair) == [True, True]


def test_other_people_stay_signed_in(api: Any, alice: User, bob: User) -> None:
    pair = issue(bob)
    by_page(alice)
    assert goes_on(api, pair) == [True, True]


def test_a_sign_in_with_the_new_password_is_good(api: Any, anonymous: Any, alice: User) -> None:
    by_page(alice)
    answer = anonymous.post("/v1/auth/token", {"email": alice.email, "password": NEW})
    assert goes_on(api, tokens.Pair(**answer.json())) == [True, True]


def test_a_sign_in_that_renews_the_hash_of_the_password_is_good(
    api: Any, anonymous: Any, alice: User, settings: LazySettings
) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS]
    answer = anonymous.post("/v1/auth/token", {"email": alice.email, "password": factories.PASSWORD})
    assert User.objects.get(pk=alice.pk).password.startswith("pbkdf2")
    assert goes_on(api, tokens.Pair(**answer.json())) == [True, True]


def test_sign_ins_outlive_a_new_secret_key(api: Any, alice: User, settings: LazySettings) -> None:
    pair = issue(alice)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another secret key"
    assert alice.get_session_auth_hash() != TokenFamily.objects.get(user=alice).session_auth_hash
    assert TokenFamily.objects.get(user=alice).has_todays_password
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = settings.SECRET_KEY_FALLBACKS[0], []
    assert goes_on(api, pair) == [True, True]


def test_sign_ins_without_a_hash_have_ended(api: Any, alice: User) -> None:
    pair = issue(alice)
    TokenFamily.objects.update(session_auth_hash="")
    assert goes_on(api, pair) == [False, False]
