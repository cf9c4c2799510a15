"""Passkeys in Chromium, with a virtual authenticator: added, used to sign in, refused without verification, removed.

Each page is opened under the real content security policy, and the browser must complain about none.
"""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.db import connections
from django.test.testcases import QuietWSGIRequestHandler

from accounts.models import User
from tests import factories

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium at /usr/bin/chromium")


handler = WSGIHandler()


def answered(environ: Any, start_response: Any) -> Any:
    """Each request has a thread of its own, whose connection would stay open."""
    try:
        return handler(environ, start_response)
    finally:
        connections.close_all()


@pytest.fixture
def server(committed: None) -> Iterator[str]:
    with ThreadedWSGIServer(("localhost", 0), QuietWSGIRequestHandler) as listening:
        listening.set_app(answered)
        Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://localhost:{listening.server_port}"
        listening.shutdown()


@pytest.fixture
def page(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # playwright runs an event loop in this thread
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        context = browser.new_context(base_url=server)
        context.set_default_timeout(15_000)
        yield context.new_page()
        browser.close()
        connections.close_all()  # Django gives the code under that loop a connection of its own


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
