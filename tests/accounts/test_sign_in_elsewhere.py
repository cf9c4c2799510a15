"""Signing in at a provider, which is a process of its own: honest, or wrong in one of many ways."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts import identity_providers, invitations, linked_accounts, tasks
from accounts.models import Event, IdentityProvider, LinkedAccount, Organization, SecurityPolicy, User
from accounts.providers import calls
from accounts.sign_ins import Current
from tests import factories
from tests.accounts.test_second_factors import signed_in
from tests.browser import at, text
from tests.leaks import tables_with
from tests.openid import modes, process
from tests.openid.process import begin, enter, sign_in_there
from tests.openid.server import ANN, CLIENT, SECRET

REFUSED = sorted(
    {*modes.CLAIMS, *modes.SIGNATURES, *modes.BODIES, *modes.STATUSES, "redirects", *modes.KEYS}
    - {"unverified", "verified-text", "no-email", "list-email", "nonsense-email", "user-info"}
)
UNPROVED = ["unverified", "verified-text", "no-email", "list-email", "nonsense-email"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with process.running() as address:
        yield address


@pytest.fixture(autouse=True)
def _providers(address: str, settings: Any) -> None:
    """An honest one, GitHub's, and all that are wrong."""
    settings.SIGN_IN_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    names = {*REFUSED, *UNPROVED, *modes.CONFIGURATIONS, "good", "user-info", "slow", "configuration-loop"}
    settings.SIGN_IN_PROVIDERS = [process.openid(address, name) for name in names]
    for name in ("github", "github-unverified"):
        fields = {"id": name, "name": "GitHub", "client_id": CLIENT, "client_secret": SECRET}
        settings.SIGN_IN_PROVIDERS.append({**fields, "url": f"{address}/{name}"})


def person_of(browser: Client) -> User | None:
    return User.objects.filter(pk=browser.session.get("_auth_user_id", 0)).first()


def confirmed(user: User) -> Client:
    """Signed in, and has just typed the password again."""
    browser = signed_in(user)
    browser.post("/accounts/confirm/", {"password": factories.PASSWORD})
    return browser


def own_provider(organization: Organization, address: str, mode: str = "good") -> IdentityProvider:
    row = IdentityProvider(organization=organization)
    params = {"name": "Acme", "issuer": f"{address}/{mode}", "client_id": CLIENT, "is_enabled": True}
    identity_providers.save(row, params, domains=["example.com"], secret=SECRET, now=timezone.now())
    return row


@pytest.mark.parametrize("provider", ["good", "user-info", "github"])
def test_a_proved_address_makes_an_account_and_signs_in_again(db: None, provider: str) -> None:
    browser = Client()
    assert enter(browser, provider).status_code == 302
    ann = person_of(browser)
    assert ann
    assert (ann.email, ann.name, ann.has_usable_password()) == (ANN["email"], "Ann", False)
    assert ann.email_verified_at
    assert browser.get("/", follow=True).status_code == 200
    again = Client()
    assert enter(again, provider, email="elsewhere@example.com").status_code == 302
    assert person_of(again) == ann
    assert LinkedAccount.objects.get().last_used_at
    assert Event.objects.filter(type="sign_in.started").count() == 2
    assert Event.objects.get(type="linked_account.added").data == {"provider": provider}
    assert not tables_with(SECRET)


def test_the_way_there_has_pkce_a_nonce_and_a_state_of_its_own(db: None) -> None:
    browser = Client()
    first, second = (parse_qs(urlsplit(begin(browser, "good")).query) for _ in range(2))
    assert first["code_challenge_method"] == ["S256"]
    for name in ("code_challenge", "nonce", "state"):
        assert len(first[name][0]) >= 43
        assert first[name] != second[name]
    assert first["redirect_uri"] == ["http://localhost:8000/accounts/providers/good/callback/"]
    assert "verifier" not in first


@pytest.mark.parametrize("mode", REFUSED)
def test_nonsense_is_a_clear_refusal_and_changes_nothing(db: None, mode: str) -> None:
    browser = Client()
    answer = enter(browser, mode)
    assert (answer.status_code, "did not work" in text(answer)) == (400, True)
    assert not User.objects.exists()
    assert not LinkedAccount.objects.exists()
    assert person_of(browser) is None


@pytest.mark.parametrize("mode", [*modes.CONFIGURATIONS, "configuration-loop"])
def test_a_configuration_that_is_nonsense_leads_nowhere(db: None, mode: str) -> None:
    answer = Client().post(f"/accounts/providers/{mode}/", {})
    assert (answer.status_code, "did not work" in text(answer)) == (400, True)


@pytest.mark.parametrize("mode", [*UNPROVED, "github-unverified"])
def test_an_address_that_is_not_proved_proves_nothing(alice: User, mode: str) -> None:
    browser = Client()
    answer = enter(browser, mode, email=alice.email)
    assert (answer.status_code, "did not prove" in text(answer)) == (409, True)
    assert person_of(browser) is None
    assert not LinkedAccount.objects.exists()


def test_a_provider_whose_word_does_not_count_makes_no_account(db: None, settings: Any, address: str) -> None:
    settings.SIGN_IN_PROVIDERS = [process.openid(address, "good", vouches=False)]
    assert enter(Client(), "good").status_code == 409
    assert not User.objects.exists()


def test_a_proved_address_does_not_open_the_account_that_has_it(alice: User) -> None:
    browser = Client()
    answer = enter(browser, "good", email=alice.email)
    assert (answer.status_code, "Sign in to it" in text(answer)) == (409, True)
    assert person_of(browser) is None
    assert not LinkedAccount.objects.exists()


def test_an_account_is_linked_with_both_proofs(alice: User) -> None:
    plain = signed_in(alice)
    assert plain.post("/accounts/providers/good/", {"process": "link"})["Location"].startswith("/accounts/confirm/")
    assert Client().post("/accounts/providers/good/", {"process": "link"}).status_code == 302
    browser = confirmed(alice)
    assert enter(browser, "good", process="link", subject="x")["Location"] == "/accounts/security/"
    assert "Good" in text(browser.get("/accounts/security/"))
    assert tasks.send_emails() >= 1
    elsewhere = Client()
    assert enter(elsewhere, "good", subject="x", email="other@example.com").status_code == 302
    assert person_of(elsewhere) == alice


def test_a_link_that_another_person_began_is_not_finished(alice: User, charlie: User) -> None:
    """Also not by who is signed in now in the same browser."""
    browser = confirmed(alice)
    back = sign_in_there(begin(browser, "good", process="link"))
    browser.post("/accounts/logout/")
    assert browser.get(back).status_code == 400
    browser = confirmed(alice)
    back = sign_in_there(begin(browser, "good", process="link"))
    begun = browser.session["sign_ins_elsewhere"]
    other = confirmed(charlie)
    session = other.session
    session["sign_ins_elsewhere"] = begun
    session.save()
    assert other.get(back).status_code == 400
    assert not LinkedAccount.objects.exists()


def test_an_account_there_is_linked_to_one_person_here(alice: User, charlie: User) -> None:
    enter(confirmed(alice), "good", process="link")
    refused = enter(confirmed(charlie), "good", process="link")
    assert (refused.status_code, LinkedAccount.objects.get().user) == (409, alice)


@pytest.mark.parametrize("wrong", ["state", "none", "browser", "provider", "used", "old", "error", "no code", "long"])
def test_what_comes_back_must_be_what_this_browser_began(db: None, wrong: str) -> None:
    browser = Client()
    back = sign_in_there(begin(browser, "good"))
    sender = browser
    if wrong == "state":
        back = back.replace("state=", "state=x")
    elif wrong == "none":
        back = back.partition("?")[0]
    elif wrong == "browser":
        sender = Client()
    elif wrong == "provider":
        back = back.replace("/good/", "/user-info/")
    elif wrong == "used":
        browser.get(back)
        browser.post("/accounts/logout/")
    elif wrong == "old":
        session = browser.session
        for begun in session["sign_ins_elsewhere"].values():
            begun["at"] -= 601
        session.save()
    elif wrong == "error":
        back = back.replace("code=", "error=access_denied&was=")
    elif wrong == "no code":
        back = back.replace("code=", "was=")
    else:
        back = back.replace("code=", f"code={'a' * 5000}")
    count = User.objects.count() + (wrong == "used")
    assert sender.get(back).status_code == 400
    assert User.objects.count() == max(count - (wrong == "used"), 0)
    assert person_of(sender) is None


def test_a_slow_provider_does_not_hold_a_page_up(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Client()
    url = begin(browser, "slow")
    monkeypatch.setattr(calls, "SECONDS", 0.3)
    assert browser.get(sign_in_there(url)).status_code == 400


def test_addresses_inside_are_refused_unless_the_operator_allows_them(db: None, settings: Any) -> None:
    settings.SIGN_IN_ALLOWED_NETWORKS = []
    assert Client().post("/accounts/providers/good/", {}).status_code == 400


def test_failed_sign_ins_are_limited_by_network(db: None) -> None:
    browser = Client()
    answers = [enter(browser, "wrong-nonce").status_code for _ in range(6)]
    assert answers == [400] * 5 + [429]
    assert Client().get("/accounts/login/").status_code == 200


def test_a_second_factor_is_asked_for_afterwards(alice: User) -> None:
    enter(confirmed(alice), "good", process="link")
    Authenticator.objects.create(user=alice, type="totp", data={})
    browser = Client()
    assert enter(browser, "good")["Location"].startswith("/accounts/security/code/")
    assert person_of(browser) is None


def test_who_is_deactivated_stays_out(alice: User) -> None:
    enter(confirmed(alice), "good", process="link")
    User.objects.filter(pk=alice.pk).update(is_active=False)
    browser = Client()
    assert enter(browser, "good")["Location"] == "/accounts/inactive/"
    assert person_of(browser) is None


def test_an_invitation_is_accepted_by_signing_up_elsewhere(alice: User, organization: Organization) -> None:
    token = invitations.token_of(factories.invitation(organization, ANN["email"], by=alice))
    browser = Client()
    page = browser.get("/accounts/signup/", {"invitation": token})
    assert f"invitations/accept?token={token}" in page.content.decode()
    answer = enter(browser, "good", next=f"/invitations/accept?token={token}")
    assert answer["Location"] == f"/invitations/accept?token={token}"
    ann = person_of(browser)
    assert ann
    assert list(ann.memberships.values_list("organization", flat=True)) == [organization.pk]


def test_the_last_way_in_is_not_removed(db: None) -> None:
    browser = Client()
    enter(browser, "good")
    ann, row = person_of(browser), LinkedAccount.objects.get()
    assert ann
    path = f"/accounts/security/links/{row.pk}/remove/"
    choose = browser.post(path)["Location"]  # who has no way to confirm
    assert choose.startswith("/accounts/password/reset/")
    page = browser.get(choose).content.decode()
    assert "neither a password nor a second factor" in page
    assert f'value="{ann.email}"' in page
    with pytest.raises(linked_accounts.LastWayIn):
        linked_accounts.unlink(ann, row.pk, Current(), timezone.now())
    ann.set_password(factories.PASSWORD)
    ann.save()
    first, browser = signed_in(ann), confirmed(ann)
    assert browser.post(path)["Location"] == "/accounts/security/"
    assert not LinkedAccount.objects.exists()
    assert (person_of(browser), person_of(first)) == (ann, None)  # who came that way is out
    assert browser.post(path).status_code == 404


def test_nobody_removes_the_link_of_another(alice: User, charlie: User) -> None:
    enter(confirmed(alice), "good", process="link")
    row = LinkedAccount.objects.get()
    assert confirmed(charlie).post(f"/accounts/security/links/{row.pk}/remove/").status_code == 404
    assert LinkedAccount.objects.exists()


def test_an_organizations_own_provider_is_found_by_the_domain(
    alice: User, organization: Organization, address: str
) -> None:
    own_provider(organization, address)
    assert not tables_with(SECRET)
    browser = Client()
    page = "/accounts/login/organization/"
    assert "organization" in text(browser.get("/accounts/login/"))
    assert browser.post(page, {"email": "ann@elsewhere.example"}).status_code == 400
    url = process.way_of(browser.post(page, {"email": "Ann@Example.com"}))
    assert browser.get(sign_in_there(url)).status_code == 302
    assert person_of(browser) == User.objects.get(email=ANN["email"])


def test_domains_are_not_tried_out_at_will(alice: User, organization: Organization, address: str) -> None:
    own_provider(organization, address)
    browser, page = Client(), "/accounts/login/organization/"
    for _ in range(6):
        assert browser.post(page, {"email": "ann@example.com"}).status_code == 200
    tried = [browser.post(page, {"email": f"ann@{n}.example"}).status_code for n in range(6)]
    assert tried == [400] * 5 + [429]
    assert browser.post(page, {"email": "ann@example.com"}).status_code == 429


def test_it_vouches_for_its_own_domains_alone(alice: User, organization: Organization, address: str) -> None:
    row = own_provider(organization, address)
    assert enter(Client(), row.public_id, email="ann@elsewhere.example").status_code == 409
    IdentityProvider.objects.update(is_enabled=False)
    assert Client().post(f"/accounts/providers/{row.public_id}/", {}).status_code == 404


def test_a_policy_asks_for_the_organizations_own_provider(
    alice: User, organization: Organization, charlie: User, address: str
) -> None:
    row = own_provider(organization, address)
    browser = confirmed(alice)
    enter(browser, row.public_id, process="link", email=alice.email)
    SecurityPolicy.objects.create(organization=organization, sign_in_methods=["sso"])
    assert browser.get(at(organization)).status_code == 302  # signed in by password
    elsewhere = Client()
    enter(elsewhere, row.public_id)
    assert elsewhere.get(at(organization)).status_code == 200
    IdentityProvider.objects.update(organization=charlie.current_organization)
    assert elsewhere.get(at(organization)).status_code == 302


def test_the_configuration_is_read_once_in_ten_minutes(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    urls: list[str] = []
    get = calls.Calls.get

    def noted(self: calls.Calls, url: str, **more: str) -> Any:
        urls.append(url)
        return get(self, url, **more)

    monkeypatch.setattr(calls.Calls, "get", noted)
    cache.clear()
    enter(Client(), "good")
    assert sum("openid-configuration" in url for url in urls) == 1


def test_one_of_microsofts_tenants_is_the_one_of_the_token() -> None:
    from accounts.providers import openid
    from accounts.providers.registry import Provider

    provider = Provider("microsoft", "Microsoft", "", "", issuer="https://login.example/{tenantid}/v2.0")
    tenant = "9188040d-6c67-4c5b-b112-36a304b66dad"
    assert openid._issuer(provider, {"tid": tenant}) == f"https://login.example/{tenant}/v2.0"
    for nonsense in (None, "", "../other", 7):
        with pytest.raises(calls.ProviderFailed):
            openid._issuer(provider, {"tid": nonsense})


@pytest.mark.parametrize(
    ("environment", "ids"),
    [
        ({}, []),
        ({"GOOGLE_CLIENT_ID": "a", "GOOGLE_CLIENT_SECRET": "b"}, ["google"]),
        ({"OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b", "OIDC_ISSUER": "https://id.example"}, ["oidc"]),
        ({"GOOGLE_CLIENT_ID": "a"}, None),
        ({"OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b"}, None),
    ],
)
def test_the_environment_names_the_providers(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], ids: list[str] | None
) -> None:
    from django.core.exceptions import ImproperlyConfigured

    from config import sign_in
    from config.env import Env

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if ids is None:
        with pytest.raises(ImproperlyConfigured):
            sign_in.providers(Env())
    else:
        assert [provider["id"] for provider in sign_in.providers(Env())] == ids


def test_the_log_says_why_and_holds_no_secret(db: None, caplog: pytest.LogCaptureFixture) -> None:
    enter(Client(), "wrong-nonce")
    assert "wrong nonce" in caplog.text
    assert SECRET not in caplog.text
    assert ANN["email"] not in caplog.text
