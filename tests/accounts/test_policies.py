"""What each policy of an organization does to each kind of credential: the whole table."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone

from accounts import people, scopes, second_factors, tokens
from accounts.models import Event, Organization, SecurityPolicy, TokenFamily, User
from tests import factories
from tests.browser import at
from tests.conftest import Api

POLICIES: dict[str, dict[str, Any]] = {
    "two factors": {"require_two_factor": True},
    "network": {"allowed_networks": ["192.0.2.0/24"]},
    "session": {"longest_session_hours": 1},
    "method": {"sign_in_methods": ["passkey"]},
}
CODES = {
    "two factors": "two_factor_required",
    "network": "network_not_allowed",
    "session": "session_too_old",
    "method": "sign_in_method_not_allowed",
}
# The policies that refuse a credential. All others let it pass.
REFUSED: dict[str, set[str]] = {
    "token": {"two factors", "network", "session", "method"},
    "token with a factor": {"network", "session", "method"},
    "fresh token": {"two factors", "network", "method"},
    "key": {"two factors", "network"},
    "key of one with a factor": {"network"},
    "key without a person": {"network"},
    "basic": {"two factors", "network"},
    "platform key": set(),
}


def enrol(user: User) -> None:
    Authenticator.objects.create(user=user, type="totp", data={})


def token(user: User, organization: Organization, *, factor: bool = False, age: int = 2) -> Api:
    access = tokens.issue(user, organization, second_factor=factor).access
    TokenFamily.objects.filter(user=user).update(created_at=timezone.now() - timedelta(hours=age))
    return Api(access)


def key(user: User | None, organization: Organization) -> str:
    return factories.key(organization, created_by=user, permissions=sorted(scopes.BY_ROLE["owner"]))[1]


def calls(name: str, user: User, organization: Organization) -> Callable[[], Any]:
    """A call of the management API with this credential."""
    if "factor" in name and "two" not in name:
        enrol(user)
    if name == "basic":
        import base64

        pair = f"{organization.auth_id}:{key(user, organization)}"
        api = Api()
        api.headers = {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return lambda: api.get(f"/v1/Account/{organization.auth_id}/")
    clients: dict[str, Callable[[], Api]] = {
        "token": lambda: token(user, organization),
        "token with a factor": lambda: token(user, organization, factor=True),
        "fresh token": lambda: token(user, organization, age=0),
        "key": lambda: Api(key(user, organization)),
        "key of one with a factor": lambda: Api(key(user, organization)),
        "key without a person": lambda: Api(key(None, organization)),
        "platform key": lambda: Api(factories.platform_key()),
    }
    client = clients[name]()
    path = f"/v1/credits/holds?organization={organization.public_id}" if name == "platform key" else "/v1/members"
    return lambda: client.get(path)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("credential", REFUSED)
def test_the_table(alice: User, organization: Organization, credential: str, policy: str) -> None:
    """The policy is that of the parent: it counts for all beneath."""
    child = people.add_child(organization, name="child")
    factories.billing_account(organization)
    call = calls(credential, alice, organization if credential == "basic" else child)
    unbound = call().status_code
    SecurityPolicy.objects.create(organization=organization, **POLICIES[policy])
    answer = call()
    if policy in REFUSED[credential]:
        assert answer.status_code == 403
        if credential not in ("basic", "key without a person"):
            assert answer.json()["code"] == CODES[policy]
    else:
        assert answer.status_code == unbound


def test_no_policy_stops_the_gate(gateway: Api, alice: User, organization: Organization) -> None:
    factories.credit(organization, 10)
    secret = key(alice, organization)
    for terms in POLICIES.values():
        SecurityPolicy.objects.update_or_create(organization=organization, defaults=terms)
    assert gateway.post("/v1/keys/verify", {"key": secret}).json()["code"] == "VALID"


def test_who_is_locked_out_can_still_enrol(alice: User, organization: Organization) -> None:
    from tests.accounts.test_second_factors import add_app, signed_in

    browser = signed_in(alice)
    SecurityPolicy.objects.create(organization=organization, require_two_factor=True)
    assert browser.get(at(organization))["Location"] == "/accounts/security/"
    program = token(alice, organization)
    assert program.get("/v1/whoami").json()["refused"][0]["reason"] == "two_factor_required"
    add_app(browser)
    assert browser.get(at(organization)).status_code == 200
    removed = browser.post("/accounts/security/app/remove/")
    assert removed.status_code == 200
    assert b"cannot deactivate" in removed.content
    assert second_factors.is_enrolled(alice)


def test_a_session_goes_by_its_age_and_its_method(alice: User, organization: Organization) -> None:
    from tests.accounts.test_second_factors import signed_in

    policy = SecurityPolicy.objects.create(organization=organization, longest_session_hours=1)
    browser = signed_in(alice)
    assert browser.get(at(organization)).status_code == 200
    session = browser.session
    session["account_authentication_methods"][0]["at"] -= 3601
    session.save()
    assert browser.get(at(organization))["Location"].startswith("/accounts/login/")
    policy.longest_session_hours, policy.sign_in_methods = None, ["passkey"]
    policy.save()
    browser = signed_in(alice)
    assert browser.get(at(organization))["Location"] == "/accounts/security/"  # where a passkey can be added
    assert "It allows: Passkey. Add one of them here" in browser.get("/accounts/security/").content.decode()
    Authenticator.objects.create(user=alice, type=Authenticator.Type.WEBAUTHN, data={})
    assert browser.get(at(organization))["Location"].startswith("/accounts/login/")  # to sign in with it


def test_operators_always_need_a_factor(settings: Any, db: None) -> None:
    from tests.accounts.test_second_factors import add_app, signed_in

    settings.OPERATOR_SECOND_FACTOR = True
    operator = User.objects.create_superuser(f"{factories.unique('op')}@example.com", factories.PASSWORD)
    browser = signed_in(operator)
    assert browser.get("/admin/").status_code == 302
    assert browser.get("/admin/login/")["Location"] == "/accounts/security/"
    add_app(browser)
    assert browser.get("/admin/").status_code == 200
    assert browser.post("/accounts/security/app/remove/").status_code == 200
    assert second_factors.is_enrolled(operator)
    stranger = Client()
    stranger.force_login(operator)
    assert stranger.get("/admin/login/")["Location"].startswith("/accounts/security/confirm/")


def test_it_says_how_many_people_it_stops(alice: User, bob: User, organization: Organization) -> None:
    enrol(alice)
    program = token(alice, organization, factor=True)
    changed = program.patch("/v1/account/security", {"require_two_factor": True})
    assert (changed.status_code, changed.json()["people_without_factor"]) == (200, 1)


def test_tokens_that_the_browser_makes_are_as_good_as_its_sign_in(alice: User, organization: Organization) -> None:
    from tests.accounts.test_second_factors import signed_in

    browser = signed_in(alice)
    assert browser.get("/accounts/security/tokens/")["Location"].startswith("/accounts/confirm/")
    browser.post("/accounts/confirm/", {"password": factories.PASSWORD})
    session = browser.session
    session["account_authentication_methods"][0].update(method="socialaccount", provider="google")
    session.save()
    SecurityPolicy.objects.create(organization=organization, sign_in_methods=["google"])
    page = browser.post("/accounts/security/tokens/")
    assert "no-store" in page["Cache-Control"]
    pair = page.context["pair"]
    assert Api(pair.access).get("/v1/members").status_code == 200
    again = Api().post("/v1/auth/token/refresh", {"refresh": pair.refresh}).json()
    assert Api(again["access"]).get("/v1/members").status_code == 200
    assert Event.objects.filter(type="sign_in.started", data={"method": "token"}).count() == 1
    SecurityPolicy.objects.update(sign_in_methods=["passkey"])
    assert Api(pair.access).get("/v1/members").status_code == 403
