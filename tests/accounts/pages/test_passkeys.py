"""Passkeys in Chromium, with a virtual authenticator: added, used to sign in, refused without verification, removed.

Each page is opened under the real content security policy, and the browser must complain about none.
"""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator

from accounts.models import TokenFamily, User
from tests import factories
from tests.chromium import CHROMIUM, MISSING, inspection
from tests.conftest import Api

OPTIONS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not CHROMIUM, reason=MISSING)]


def sign_in_by_password(page: Any, person: User) -> None:
    page.goto("/accounts/login/")
    page.fill("#id_login", person.email)
    page.fill("#id_password", factories.PASSWORD)
    page.click("button:text-is('Sign in')")


def test_a_passkey_from_adding_to_removing(page: Any) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    alice = factories.user("alice")
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    device = devices.send("WebAuthn.addVirtualAuthenticator", {"options": OPTIONS})["authenticatorId"]

    sign_in_by_password(page, alice)
    page.goto("/accounts/security/passkeys/add/")
    page.fill("#id_password", factories.PASSWORD)
    page.click("button:text-is('Confirm')")
    page.click("#add-passkey")
    page.wait_for_url("**/recovery-codes/")
    assert page.locator(".codes code").count() == 10
    assert Authenticator.objects.filter(user=alice, type="webauthn").count() == 1

    page.context.clear_cookies()
    page.goto("/accounts/login/")
    page.click("#passkey-login")
    page.wait_for_url("**/o/acct_*/**")

    page.context.clear_cookies()
    devices.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.goto("/accounts/login/")
    page.click("#passkey-login")
    page.wait_for_timeout(500)
    assert "/accounts/login/" in page.url  # nobody is signed in without verification
    assert len(complaints) == 1, complaints
    assert "NotAllowedError" in complaints.pop()
    devices.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})

    sign_in_by_password(page, alice)
    page.wait_for_url("**/accounts/security/code/")  # a password alone opens no session
    page.click("#use-passkey")
    page.wait_for_url("**/o/acct_*/**")
    page.goto("/accounts/security/")
    page.click("a:has-text('Remove')")
    page.click("a:text-is('Use a passkey')") if page.locator("#use-passkey").count() == 0 else None
    page.click("#use-passkey")
    page.click("button:text-is('Remove the passkey')")
    page.wait_for_url("**/accounts/security/")
    assert not Authenticator.objects.filter(user=alice).exists()
    page.goto("/accounts/security/app/add/")
    assert page.locator(".qr svg").bounding_box()["width"] > 100
    assert complaints == []

    page.context.clear_cookies()
    page.goto("/accounts/login/")
    page.click("#passkey-login")  # the device still has the passkey that was removed
    page.wait_for_url("**/accounts/login/passkey/")
    assert "not known here" in page.inner_text("main")
    page.goto("/accounts/security/")
    assert "/accounts/login/" in page.url


def test_who_has_only_passkeys_confirms_by_one_and_gets_tokens(server: str, page: Any) -> None:
    dora = factories.user("dora")
    inspection.watch(page)
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": OPTIONS})
    sign_in_by_password(page, dora)
    page.goto("/accounts/security/passkeys/add/")
    page.fill("#id_password", factories.PASSWORD)
    page.click("button:text-is('Confirm')")
    page.click("#add-passkey")
    page.wait_for_url("**/recovery-codes/")
    dora.set_unusable_password()
    dora.save()
    page.context.clear_cookies()
    page.goto(f"{server.replace('localhost', '127.0.0.1')}/accounts/login/")
    page.click("#passkey-login")
    page.wait_for_timeout(500)
    assert "/accounts/login/" in page.url  # a passkey is good at the host of BASE_URL alone

    page.goto("/accounts/login/")
    page.click("#passkey-login")
    page.wait_for_url("**/o/acct_*/**")
    page.goto("/accounts/security/tokens/")
    page.wait_for_url("**/passkeys/confirm/**")
    assert inspection.problems(page) == []
    page.click("#use-passkey")
    page.wait_for_url("**/accounts/security/tokens/")
    page.click("button:text-is('Create tokens')")
    access = page.inner_text("#access")
    family = TokenFamily.objects.get(user=dora)
    assert (family.sign_in_method, family.second_factor_at is None) == ("passkey", False)
    assert Api(access).get("/v1/whoami").status_code == 200
