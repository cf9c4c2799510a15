"""What people come for, by mouse and by keyboard, with JavaScript and without."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from apikeys.models import ApiKey
from billing.models import AutoRecharge, Payment, PaymentMethod
from tests import factories
from tests.chromium import inspection
from tests.chromium.test_pages import enter
from tests.chromium.world import World


@pytest.fixture
def plain(browser: Any, address: str) -> Iterator[Any]:
    """A page of a browser without JavaScript."""
    context = browser.new_context(base_url=address, java_script_enabled=False)
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def press(page: Any, text: str) -> None:
    page.get_by_role("button", name=text, exact=True).click()
    page.wait_for_load_state()


def test_a_newcomer_gets_to_a_first_key_without_javascript(plain: Any) -> None:
    email = f"{factories.unique('newcomer')}@example.com"
    plain.goto("/accounts/signup/")
    plain.fill("#id_name", "Nell Comer")
    plain.fill("#id_organization_name", "Newcomers")
    plain.fill("#id_email", email)
    plain.fill("#id_password1", factories.PASSWORD)
    press(plain, "Create account")
    assert plain.locator("h1").inner_text() == "Newcomers"
    home = plain.url

    plain.goto(f"{home}credits/")
    plain.select_option("#id_country", "US")
    press(plain, "Create billing account")
    press(plain, "Add card")
    plain.locator(".presets button").nth(1).click()
    press(plain, "Pay USD\N{NO-BREAK SPACE}25.00")
    assert "You bought 25 credits" in plain.locator(".messages").inner_text()

    plain.goto(f"{home}keys/new/")
    plain.fill("#id_name", "First")
    press(plain, "Create key")
    assert re.fullmatch(r"sk_live_\w+", plain.locator("#secret").inner_text())
    plain.go_back()
    assert ApiKey.objects.filter(name="First").count() == 1

    plain.goto(home)
    plain.locator(".menu-person summary").click()
    press(plain, "Sign out")
    plain.goto(home)
    assert "/accounts/login/" in plain.url
    plain.fill("#id_login", email)
    plain.fill("#id_password", factories.PASSWORD)
    press(plain, "Sign in")
    assert plain.url == home


def test_an_owner_does_what_asks_for_a_confirmation_without_javascript(plain: Any, site: World, address: str) -> None:
    enter(plain, site, "owner", address)
    home = f"/o/{site.payer.public_id}/"
    key, _ = factories.key(site.payer)
    plain.goto(f"{home}keys/{key.public_id}/")
    plain.get_by_role("link", name="Disable").click()
    press(plain, "Disable")
    assert "is disabled" in plain.locator(".messages").inner_text()
    press(plain, "Enable")
    plain.get_by_role("link", name="Revoke").click()
    plain.fill("#confirmation", "another name")
    press(plain, "Revoke this key")
    assert "That is not its name." in plain.locator("form .errorlist").inner_text()
    plain.fill("#confirmation", key.name)
    press(plain, "Revoke this key")
    assert "is revoked" in plain.locator(".messages").inner_text()

    plain.goto(f"{home}people/")
    plain.fill("#id_email", "colleague@example.com")
    press(plain, "Invite")
    assert "/invitations/accept?token=" in plain.locator("#link").inner_text()
    plain.get_by_role("link", name="Done").click()
    plain.get_by_role("link", name="Revoke colleague@example.com").click()
    press(plain, "Revoke")
    assert "colleague@example.com is revoked" in plain.locator(".messages").inner_text()


def test_the_card_of_auto_recharge_is_chosen_and_removed_without_javascript(
    plain: Any, site: World, address: str
) -> None:
    enter(plain, site, "owner", address)
    card = factories.card(site.payer, "pm_card_amex")
    settings = AutoRecharge.objects.filter(organization=site.payer)
    plain.goto(f"/o/{site.payer.public_id}/credits/auto-recharge/")
    plain.select_option("#id_payment_method", card.public_id)
    press(plain, "Save")
    assert settings.get().payment_method == card
    plain.get_by_role("link", name=f"Remove {card.last4}").first.click()
    assert "Auto-recharge charges the default card from then on." in plain.locator("main").inner_text()
    press(plain, "Remove")
    assert settings.get().payment_method is None
    assert not PaymentMethod.objects.of(site.payer).filter(pk=card.pk).exists()
    assert not Payment.objects.of(site.payer).filter(method=card).exists()


def test_what_is_answered_to_a_form_is_well_too(page: Any, site: World, address: str) -> None:
    """The pages that only a form leads to: secrets, links, questions, refusals."""
    enter(page, site, "owner", address)
    home = f"/o/{site.payer.public_id}/"
    wrong: list[str] = []

    def look(name: str) -> None:
        for width, theme in inspection.LOOKS[::3]:
            inspection.turn(page, width, theme)
            wrong.extend(f"{name} ({width}, {theme}): {text}" for text in inspection.problems(page, whole=False))
            inspection.keep_picture(page, f"{name} {width} {theme}")

    page.goto(f"{home}keys/new/")
    press(page, "Create key")  # the browser keeps it back: the name is missing
    page.fill("#id_name", "A")
    page.fill("#id_rate_limit", "5")
    page.fill("#id_allowed_cidrs", "nowhere")
    press(page, "Create key")
    assert page.locator(".errorlist").count() == 2
    look("a key with two mistakes")
    page.fill("#id_rate_limit_window_seconds", "60")
    page.fill("#id_allowed_cidrs", "")
    press(page, "Create key")
    look("a new key")
    page.goto(f"{home}webhooks/new/")
    page.fill("#id_url", "https://hooks.example.com/new")
    page.check("#id_everything")
    press(page, "Add endpoint")
    look("a new endpoint")
    page.goto(f"{home}people/")
    page.fill("#id_email", "invited@example.com")
    press(page, "Invite")
    look("an invitation")
    page.goto("/accounts/security/tokens/")
    press(page, "Create tokens")
    look("tokens")
    page.goto(f"{home}security/")
    page.fill("#id_allowed_email_domains", "example.org")
    page.check("#id_require_two_factor")
    press(page, "Save")
    look("whom a policy stops")
    page.goto(f"{home}credits/cards/page/")
    page.goto(f"{home}credits/")
    press(page, "Add a card")
    look("the way to the gateway")
    assert not wrong, "\n".join(wrong)
    refusal = "the server responded with a status of 400"
    assert [text for text in page.reports if refusal not in text] == []


BAD = """<!doctype html><html lang="en"><head><title>Bad</title></head><body><main tabindex="-1"><h1>Bad</h1>
<input><div style="width: 3000px">wide</div><span style="cursor: pointer">click</span>
<button style="outline: none; height: 10px">x</button><a href="/" tabindex="5">never mind</a>
<script>1</script></main></body></html>"""
EXPECTED = (
    "is 3",
    "is a target of less than 24 pixels",
    "is not reached by Tab: <span",
    "is not reached by Tab: <a",
    "label: <input",
    "does not show its focus: <button",
)


def test_a_page_that_is_not_well_is_noticed(page: Any, address: str) -> None:
    """The control: a page with each of the mistakes that the tests of pages look for."""
    policy = "default-src 'self'; style-src 'unsafe-inline'"
    headers = {"Content-Type": "text/html", "Content-Security-Policy": policy}
    page.route("**/bad", lambda route: route.fulfill(status=200, headers=headers, body=BAD))
    page.goto("/bad")
    problems = inspection.problems(page)
    assert [text for text in EXPECTED if not any(problem.startswith(text) for problem in problems)] == []
    assert ["script" in report for report in page.reports] == [True]
