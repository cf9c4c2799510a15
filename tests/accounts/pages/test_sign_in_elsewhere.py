"""The way to a provider and back in Chromium, under the real content security policy."""

from typing import Any

import pytest

from accounts.models import LinkedAccount, User
from tests import factories
from tests.accounts.pages.test_passkeys import sign_in_by_password
from tests.chromium import CHROMIUM, MISSING
from tests.openid import process

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not CHROMIUM, reason=MISSING)]


def test_the_whole_way_under_the_policy(server: str, page: Any, settings: Any) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    with process.running() as address:
        settings.SIGN_IN_ALLOWED_NETWORKS, settings.BASE_URL = ["127.0.0.0/8"], server
        settings.SIGN_IN_PROVIDERS = [process.openid(address, "good")]
        page.goto("/accounts/login/")
        page.click("button:text-is('Continue with Good')")
        page.wait_for_url(f"{address}/good/authorize**")
        page.click("#enter")
        page.wait_for_url("**/o/acct_*/**")
        ann = User.objects.get(linked_accounts__provider="good")
        page.goto("/accounts/security/")
        assert "Good" in page.inner_text("main")

        page.context.clear_cookies()
        LinkedAccount.objects.filter(user=ann).delete()
        alice = factories.user("alice")
        sign_in_by_password(page, alice)
        page.goto("/accounts/security/")
        page.click("button:text-is('Link Good')")
        page.fill("#id_password", factories.PASSWORD)
        page.click("button:text-is('Confirm')")
        page.wait_for_url(f"{address}/good/authorize**")
        page.click("#enter")
        page.wait_for_url("**/accounts/security/")
        assert LinkedAccount.objects.get(user=alice).provider == "good"
    LinkedAccount.objects.all().delete()  # what is committed stays for other tests
    User.objects.filter(pk=ann.pk).update(email=f"{factories.unique('ann')}@example.com")
    assert complaints == []
