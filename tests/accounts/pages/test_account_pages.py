"""Every page of one's account in Chromium, under the real content security policy: the browser complains about none."""

from pathlib import Path
from typing import Any

import pytest

from tests import factories
from tests.accounts.pages.test_passkeys import sign_in_by_password

pytestmark = pytest.mark.skipif(not Path("/usr/bin/chromium").exists(), reason="needs Chromium at /usr/bin/chromium")

IN_FRONT = (
    *("login/", "signup/", "login/organization/", "password/reset/", "password/reset/done/", "inactive/"),
    *("password/reset/key/done/", "logout/"),
)
OF_ONES_OWN = (
    *("email/", "security/", "security/app/add/", "security/passkeys/add/", "security/tokens/", "password/change/"),
    *("confirm/", "logout/"),
)


def test_no_account_page_breaks_the_policy(page: Any) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for path in IN_FRONT:
        assert page.goto(f"/accounts/{path}").status == 200, path
    sign_in_by_password(page, factories.user("alice"))
    page.goto("/accounts/security/tokens/")
    page.fill("#id_password", factories.PASSWORD)
    page.click("button:text-is('Confirm')")
    for path in OF_ONES_OWN:
        assert page.goto(f"/accounts/{path}").status == 200, path
    for path in ("/profile/", "/organizations/"):
        assert page.goto(path).status == 200, path
    assert complaints == []
