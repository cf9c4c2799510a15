"""The frame of every page: the sections, which stay on pages about the person, and the colours."""

import re

import pytest
from django.test import Client

from accounts.models import Organization, User
from tests.browser import at, signed_in, text


@pytest.mark.parametrize("path", ["/profile/", "/organizations/", "/accounts/password/change/"])
def test_the_sections_stay_on_pages_about_the_person(alice: User, organization: Organization, path: str) -> None:
    page = text(signed_in(alice).get(path))
    assert f'href="{at(organization)}usage/"' in page
    assert "aria-current=" not in re.sub(r'menu-item" aria-current="true"', "", page)


def test_who_is_in_no_organization_has_no_sections(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(current_organization=None)
    assert 'class="tabs"' not in text(signed_in(alice).get("/profile/"))


def test_the_sections_are_those_of_the_organization_in_the_address(bob: User, organization: Organization) -> None:
    page = text(signed_in(bob).get(f"{at(organization)}usage/"))
    assert page.count('aria-current="page">Usage</a>') == 2  # beside the page where it is wide, in a menu where not


def test_each_rule_for_a_password_has_its_words(alice: User) -> None:
    page = text(signed_in(alice).get("/accounts/password/change/"))
    assert page.count("At least 12 characters.") == 1
    assert "<li></li>" not in page


def test_a_person_chooses_the_colours(alice: User) -> None:
    browser = signed_in(alice)
    assert "data-theme" not in text(browser.get("/profile/"))
    answer = browser.post("/theme/", {"theme": "dark", "next": "/profile/"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/profile/")
    assert 'data-theme="dark"' in text(browser.get("/profile/"))
    browser.post("/theme/", {"theme": "system"})
    assert "data-theme" not in text(browser.get("/profile/"))


@pytest.mark.parametrize("following", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "x", ""])
def test_the_choice_leads_nowhere_else(db: None, following: str) -> None:
    answer = Client().post("/theme/", {"theme": "purple", "next": following})
    assert answer.headers["Location"] == "/"
    assert not answer.cookies["theme"].value
