"""Wrong passwords: counted by account and network, and by account alone so that strangers do not keep the owner out."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts import email_codes, invitations, second_factors, sign_in_limits, tasks, tokens
from accounts.lib.problems import TooManyRequests
from accounts.models import KnownNetwork, SignInFailures, TokenFamily, User
from tests import factories
from tests.browser import at, signed_in, text
from tests.concurrency import race
from tests.conftest import Api

PATH = "/v1/auth/token"
HOME = "203.0.113.7"


@pytest.fixture(autouse=True)
def _behind_a_proxy(settings: Any) -> None:
    settings.TRUSTED_PROXIES = settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1


@pytest.fixture(autouse=True)
def _still_time() -> Iterator[None]:
    with time_machine.travel(timezone.now(), tick=False):
        yield


def later(**span: float) -> Any:
    return time_machine.travel(timezone.now() + timedelta(**span), tick=False)


def attempt(email: str, password: str = "wrong", address: str = HOME, **headers: str) -> int:
    body = {"email": email, "password": password}
    return int(Api().post(PATH, body, x_forwarded_for=address, **headers).status_code)


def sign_in(email: str, address: str = HOME) -> int:
    return attempt(email, factories.PASSWORD, address)


def strangers(email: str, count: int) -> None:
    """So many failures of the account, from other networks, spread over the last hour."""
    failed_at = [timezone.now() - timedelta(seconds=36 * (count - 1 - number) + 1) for number in range(count)]
    account = hashlib.sha256(email.encode()).digest()
    SignInFailures.objects.update_or_create(account=account, network="", defaults={"failed_at": failed_at})


def test_after_five_wrong_passwords_even_the_right_one_waits(anonymous: Any, alice: User) -> None:
    assert [attempt(alice.email) for _ in range(5)] == [401] * 5
    response = anonymous.post(PATH, {"email": alice.email, "password": factories.PASSWORD}, x_forwarded_for=HOME)
    assert (response.status_code, response.json()["code"]) == (429, "too_many_requests")
    assert response.headers["Retry-After"] == "300"
    assert not TokenFamily.objects.exists()


def test_the_wait_is_over_five_minutes_after_the_first_failure(alice: User) -> None:
    for number in range(5):
        with later(seconds=number):
            attempt(alice.email)
    with later(seconds=299):
        assert sign_in(alice.email) == 429
    with later(seconds=301):
        assert sign_in(alice.email) == 200


def test_a_page_and_the_api_count_together(alice: User) -> None:
    form_data = {"login": alice.email, "password": "wrong"}
    for _ in range(3):
        Client().post("/accounts/login/", form_data, headers={"x-forwarded-for": HOME})
    assert [attempt(alice.email) for _ in range(3)] == [401, 401, 429]
    page = Client().post(
        "/accounts/login/", {**form_data, "password": factories.PASSWORD}, headers={"x-forwarded-for": HOME}
    )
    assert "Too many failed sign-ins" in text(page)


def test_one_account_in_any_form_is_counted_once(alice: User) -> None:
    assert [attempt(email) for email in (alice.email, alice.email.upper(), alice.email.title())] == [401] * 3
    assert [attempt(alice.email) for _ in range(3)] == [401, 401, 429]


@pytest.mark.parametrize("header", ["host", "x_forwarded_host", "x_real_ip", "forwarded", "user_agent"])
def test_nothing_that_the_caller_chooses_starts_a_new_count(alice: User, settings: Any, header: str) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    answers = [attempt(alice.email, **{header: f"host{number}.example"}) for number in range(6)]
    assert answers == [401] * 5 + [429]


def test_what_a_caller_writes_before_the_proxys_address_does_not_count(alice: User) -> None:
    answers = [attempt(alice.email, address=f"192.0.2.{number}, {HOME}") for number in range(6)]
    assert answers == [401] * 5 + [429]


def test_the_addresses_of_one_ipv6_network_are_one_caller(alice: User) -> None:
    answers = [attempt(alice.email, address=f"2001:db8:1:2::{number}") for number in range(6)]
    assert answers == [401] * 5 + [429]
    assert attempt(alice.email, address="2001:db8:1:3::1") == 401


def test_failures_from_one_network_do_not_lock_the_owner_out_elsewhere(alice: User) -> None:
    for _ in range(6):
        attempt(alice.email, address="198.51.100.1")
    assert sign_in(alice.email) == 200


def test_a_network_that_tries_many_accounts_waits_and_others_do_not(alice: User) -> None:
    answers = [attempt(f"{number}@example.com", address="198.51.100.1") for number in range(11)]
    assert answers == [401] * 10 + [429]
    assert sign_in(alice.email) == 200


def test_unknown_accounts_are_counted_alike(db: None) -> None:
    assert [attempt("nobody@example.com") for _ in range(6)] == [401] * 5 + [429]


def test_successes_count_for_nothing(alice: User) -> None:
    assert [sign_in(alice.email) for _ in range(12)] == [200] * 12
    assert [attempt(alice.email) for _ in range(6)] == [401] * 5 + [429]


def test_after_a_hundred_failures_from_everywhere_strangers_get_ever_slower(alice: User) -> None:
    for number in range(100):
        with later(seconds=-3600 + number * 36):
            assert attempt(alice.email, address=f"198.51.100.{number}") == 401
    waits = []
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for number in range(12):
            address = f"192.0.2.{number}"
            refused = Api().post(PATH, {"email": alice.email, "password": "wrong"}, x_forwarded_for=address)
            waits.append(int(refused.headers.get("Retry-After", 0)))
            clock.shift(timedelta(seconds=waits[-1]))
            attempt(alice.email, address=f"192.0.3.{number}")
    assert waits[:2] == [0, 2]
    assert waits[2:] == [4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_who_signed_in_from_a_network_before_is_not_kept_out_of_it_by_strangers(alice: User) -> None:
    assert sign_in(alice.email) == 200
    strangers(alice.email, 105)
    assert sign_in(alice.email, address="192.0.2.1") == 429
    assert sign_in(alice.email) == 200


def test_who_signed_up_from_a_network_is_known_there(anonymous: Any, db: None) -> None:
    body = {"email": "dora@example.com", "password": factories.PASSWORD}
    assert anonymous.post("/v1/auth/signup", body, x_forwarded_for=HOME).status_code == 201
    page = {"email": "emil@example.com", "name": "Emil", "password1": factories.PASSWORD}
    Client().post("/accounts/signup/", page, headers={"x-forwarded-for": HOME})
    known = KnownNetwork.objects.values_list("user__email", "network")
    assert sorted(known) == [("dora@example.com", HOME), ("emil@example.com", HOME)]


def test_sessions_and_tokens_go_on_while_the_account_is_under_attack(api: Any, alice: User, organization: Any) -> None:
    browser, pair = signed_in(alice), tokens.issue(alice, organization)
    strangers(alice.email, 105)
    assert browser.get(at(organization)).status_code == 200
    assert api(pair.access).get("/v1/whoami").status_code == 200
    assert Api().post("/v1/auth/token/refresh", {"refresh": pair.refresh}).status_code == 200


def test_a_new_password_starts_a_new_count(alice: User) -> None:
    sign_in_limits.remember(alice, "127.0.0.1")  # where the session began
    strangers(alice.email, 105)
    form_data = {
        "oldpassword": factories.PASSWORD,
        "password1": "another passphrase",
        "password2": "another passphrase",
    }
    assert signed_in(alice).post("/accounts/password/change/", form_data).status_code == 302
    assert attempt(alice.email, "another passphrase") == 200


def test_of_many_guesses_at_once_five_are_tried(committed: None) -> None:
    dora = factories.user("dora")
    address = f"2001:db8:{dora.pk % 60000:x}::1"
    answers = race([lambda: attempt(dora.email, address=address)] * 16)
    assert sorted(answers) == [401] * 5 + [429] * 11


def test_guesses_that_count_only_after_they_failed_are_tried_more_often(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the failures are counted without the lock of their rows."""
    monkeypatch.setattr(sign_in_limits, "_row", unlocked)
    dora = factories.user("dora")
    address = f"2001:db8:{dora.pk % 60000:x}:1::1"
    answers = race([lambda: attempt(dora.email, address=address)] * 16)
    assert answers.count(401) > 5


def unlocked(account: bytes, network: str, since: Any) -> SignInFailures:
    row, _ = SignInFailures.objects.get_or_create(account=account, network=network)
    return row


def test_only_the_failures_that_still_count_are_kept(alice: User) -> None:
    for minutes in range(0, 60, 2):
        with later(minutes=minutes):
            assert attempt(alice.email) == 401
    kept = {row.network: len(row.failed_at) for row in SignInFailures.objects.exclude(account=b"")}
    assert kept == {HOME: 3, "": 30}
    assert len(SignInFailures.objects.get(account=b"").failed_at) == 1


def test_what_is_past_is_purged(alice: User) -> None:
    sign_in(alice.email)
    attempt(alice.email)
    with later(hours=25):
        assert tasks.purge_sign_in_failures() == 3
        assert KnownNetwork.objects.exists()
    with later(days=91):
        tasks.purge_sign_in_failures()
    assert not KnownNetwork.objects.exists()


def test_our_number_of_proxies_is_allauths_too() -> None:
    from config import settings

    assert settings.ALLAUTH_TRUSTED_PROXY_COUNT == settings.TRUSTED_PROXIES


@pytest.mark.parametrize("series", ["factor", "code"])
def test_strangers_guesses_at_codes_do_not_keep_who_is_known_out(alice: User, series: str) -> None:
    """Codes of a second factor, and codes by email of who is signed in."""
    now, name = timezone.now(), f"factor {alice.pk}" if series == "factor" else f"code {alice.email}"
    sign_in_limits.remember(alice, HOME)
    strangers(name, 105)

    def guess(network: str) -> None:
        if series == "factor":
            second_factors.check_code(alice, "000000", network)
        else:
            email_codes.redeem("change", alice.email, "00000000", network=network, now=now)

    with suppress(email_codes.InvalidCode):
        guess(HOME)
    with pytest.raises((sign_in_limits.TooManyFailures, TooManyRequests)):
        guess("192.0.2.1")


@pytest.mark.parametrize(
    "path",
    [
        "/invitations/accept?token=it_wrong",
        "/accounts/signup/?invitation=it_wrong",
        "/accounts/email/undo/?token=wrong",
        "/accounts/password/reset/key/1-abc-wrong/",
    ],
)
def test_wrong_links_are_counted_by_their_network(db: None, path: str) -> None:
    pages = [Client().get(path, headers={"x-forwarded-for": HOME}) for _ in range(6)]
    assert 429 not in [page.status_code for page in pages[:5]]
    assert (pages[5].status_code, pages[5].headers["Retry-After"]) == (429, "300")
    assert Client().get(path, headers={"x-forwarded-for": "203.0.113.8"}).status_code == pages[0].status_code


def test_wrong_tokens_of_invitations_count_together_at_the_api_and_on_pages(api: Any, alice: User) -> None:
    page = "/invitations/accept?token=it_wrong"
    statuses = [
        Client().get(page, headers={"x-forwarded-for": HOME}).status_code,
        Api().get("/v1/invitations/accept?token=it_wrong", x_forwarded_for=HOME).status_code,
        api(alice).post("/v1/invitations/accept", {"token": "it_wrong"}, x_forwarded_for=HOME).status_code,
    ]
    assert statuses == [404] * 3
    assert [Client().get(page, headers={"x-forwarded-for": HOME}).status_code for _ in range(3)] == [404, 404, 429]


def test_wrong_links_have_no_count_that_everybody_waits_for(db: None) -> None:
    for address in (HOME, "203.0.113.8"):
        Client().get("/invitations/accept?token=it_wrong", headers={"x-forwarded-for": address})
    counted = SignInFailures.objects.exclude(account=b"").values_list("network", flat=True)
    assert sorted(counted) == [HOME, "203.0.113.8"]


def test_right_links_count_for_nothing(alice: User, organization: Any) -> None:
    invitation = invitations.invite_for_company(organization, email="new@example.com", role="viewer")
    link = f"/invitations/accept?token={invitations.token_of(invitation)}"
    for _ in range(7):
        assert Client().get(link, headers={"x-forwarded-for": HOME}).status_code == 200
    assert not any(row.failed_at for row in SignInFailures.objects.all())
