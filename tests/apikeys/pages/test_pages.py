"""API keys in the browser: made with a secret that is shown once, and listed without it."""

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts import security
from accounts.lib import form_ids
from accounts.models import Organization, User
from apikeys import keys
from apikeys.models import ApiKey
from tests import factories
from tests.browser import at, messages_of, signed_in, text
from tests.concurrency import race
from tests.conftest import Api

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


def create(browser: Client, organization: Organization, **fields: Any) -> Any:
    form_data = {"name": "Server", "environment": "live", "id": form_ids.new(), **fields}
    return browser.post(at(organization, "keys/new/"), form_data)


def test_a_new_keys_secret_works(browser: Client, organization: Organization) -> None:
    answer = create(browser, organization, scopes=["usage:read"])
    assert answer.status_code == 201
    whoami = Api(answer.context["secret"]).get("/v1/whoami").json()
    assert whoami["organization"]["id"] == organization.public_id


def test_the_secret_stands_in_that_page_and_nowhere_else(browser: Client, organization: Organization) -> None:
    answer = create(browser, organization)
    secret = answer.context["secret"]
    assert f'<code id="secret">{secret}</code>' in text(answer)
    assert f'Bearer {secret}" http://testserver/v1/whoami</code>' in text(answer)
    assert secret not in text(browser.get(at(organization, "keys/")))
    assert secret not in str(dict(browser.session))
    assert secret not in str(browser.cookies)


def test_reloading_the_page_with_the_secret_makes_no_second_key(browser: Client, organization: Organization) -> None:
    (form_id,) = re.findall(r'name="id" value="([^"]+)"', text(browser.get(at(organization, "keys/new/"))))
    assert create(browser, organization, id=form_id).status_code == 201
    again = create(browser, organization, id=form_id)
    assert again["Location"] == at(organization, "keys/")
    assert "made already" in messages_of(again)[0]
    assert ApiKey.objects.of(organization).count() == 1


def test_sent_twice_at_once_the_form_makes_one_key(committed: None) -> None:
    alice = factories.user("alice")
    organization = alice.current_organization
    assert organization is not None
    form_id = form_ids.new()
    answers = race([partial(create, signed_in(alice), organization, id=form_id) for _ in range(4)])
    assert sorted(answer.status_code for answer in answers) == [201, 302, 302, 302]
    assert ApiKey.objects.of(organization).count() == 1


@pytest.mark.parametrize("form_id", ["", "x", "0199f0c2a1b27c3d8e4f5a6b7c8d9e0f"])
def test_a_form_without_an_id_of_ours_is_sent_again(browser: Client, organization: Organization, form_id: str) -> None:
    answer = create(browser, organization, id=form_id, scopes=["keys:read", "usage:read"])
    assert answer.status_code == 400
    assert "out of date" in text(answer)
    assert text(answer).count(" checked>") == 3  # the environment and both scopes
    (fresh,) = re.findall(r'name="id" value="([^"]+)"', text(answer))
    assert create(browser, organization, id=fresh).status_code == 201


def test_the_page_with_the_secret_is_stored_nowhere(browser: Client, organization: Organization) -> None:
    assert "no-store" in create(browser, organization)["Cache-Control"]


def test_a_key_has_what_the_form_says(browser: Client, alice: User, organization: Organization) -> None:
    permissions = "messaging:send\nvoice:call, numbers:list"
    create(
        browser,
        organization,
        environment="test",
        permissions=permissions,
        scopes=["keys:read"],
        description="For the tests",
    )
    key = ApiKey.objects.of(organization).get()
    assert key.permissions == ["messaging:send", "voice:call", "numbers:list", "keys:read"]
    assert (key.name, key.environment, key.description) == ("Server", "test", "For the tests")
    assert (key.created_by, key.expires_at) == (alice, None)


def test_a_key_works_to_the_end_of_its_last_day_where_the_person_is(alice: User, organization: Organization) -> None:
    alice.timezone = "Asia/Kathmandu"
    alice.save()
    with time_machine.travel(NOW, tick=False):
        create(signed_in(alice), organization, expires_at="2026-03-10")
    assert ApiKey.objects.get().expires_at == datetime(2026, 3, 10, 18, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("name", "nul\0"),
        ("environment", "staging"),
        ("permissions", "no colon"),
        ("permissions", "Upper:case"),
        ("permissions", "a:b a:b"),
        ("permissions", " ".join(f"a:b{n}" for n in range(101))),
        ("permissions", "usage:write"),
        ("scopes", ["usage:write"]),
        ("scopes", ["not:there"]),
        ("expires_at", "2020-01-01"),
        ("expires_at", "9999-12-31"),
        ("expires_at", "soon"),
        ("description", "x" * 501),
    ],
)
def test_a_wrong_form_makes_no_key(browser: Client, organization: Organization, field: str, wrong: Any) -> None:
    answer = create(browser, organization, **{field: wrong})
    assert answer.status_code == 400
    assert "errorlist" in text(answer)
    assert not ApiKey.objects.exists()


def test_only_scopes_that_the_person_holds_are_offered(organization: Organization) -> None:
    person = factories.user()
    factories.join(person, organization, "developer")
    page = text(signed_in(person).get(at(organization, "keys/new/")))
    assert 'value="keys:write"' in page
    assert 'value="billing:read"' not in page
    assert create(signed_in(person), organization, scopes=["billing:read"]).status_code == 400


def test_the_longest_life_that_the_organization_allows_holds_here_too(
    browser: Client, organization: Organization
) -> None:
    security.change(organization, {"longest_key_life_days": 30}, by=factories.operator(), address="")
    late = (timezone.now() + timedelta(days=60)).date().isoformat()
    answer = create(browser, organization, expires_at=late)
    assert answer.status_code == 400
    assert text(answer).count("live at most 30 days") == 2
    assert not ApiKey.objects.exists()


def test_a_list_shows_hints_and_facts(browser: Client, alice: User, organization: Organization) -> None:
    key, secret = factories.key(organization, created_by=alice, permissions=["messaging:send"])
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now() - timedelta(minutes=3, seconds=5))
    page = text(browser.get(at(organization, "keys/")))
    for shown in (
        key.public_id,
        f"{secret[:12]}…{secret[-4:]}",
        "messaging:send",
        "by Alice",
        "3 minutes ago",
        "Active",
    ):
        assert shown in page


def test_revoked_keys_have_a_list_of_their_own(browser: Client, organization: Organization) -> None:
    living, dead = factories.key(organization)[0], factories.key(organization)[0]
    keys.revoke(dead)
    current, revoked = (
        text(browser.get(at(organization, "keys/"))),
        text(browser.get(at(organization, "keys/?status=revoked"))),
    )
    assert (living.public_id in current, dead.public_id in current) == (True, False)
    assert (living.public_id in revoked, dead.public_id in revoked) == (False, True)


def test_no_keys_yet_and_none_revoked_are_told_apart(browser: Client, organization: Organization) -> None:
    assert "No keys yet" in text(browser.get(at(organization, "keys/")))
    factories.key(organization)
    assert "No key was ever revoked" in text(browser.get(at(organization, "keys/?status=revoked")))


def test_keys_of_other_organizations_are_not_listed(browser: Client, charlie: User, organization: Organization) -> None:
    theirs = charlie.current_organization
    assert theirs is not None
    foreign, _ = factories.key(theirs)
    factories.platform_key()
    assert browser.get(at(organization, "keys/")).context["paginator"].count == 0
    assert foreign.public_id not in text(browser.get(at(organization, "keys/")))


def test_a_viewer_may_not_make_keys(bob: User, organization: Organization) -> None:
    browser = signed_in(bob)
    assert "keys/new/" not in text(browser.get(at(organization, "keys/")))
    assert browser.get(at(organization, "keys/new/")).status_code == 403
    assert create(browser, organization).status_code == 403
    assert not ApiKey.objects.exists()


def test_an_outsider_makes_no_keys_here(charlie: User, organization: Organization) -> None:
    assert create(signed_in(charlie), organization).status_code == 404
    assert not ApiKey.objects.exists()


def test_a_suspended_organization_makes_no_keys(browser: Client, organization: Organization) -> None:
    Organization.objects.filter(pk=organization.pk).update(status="suspended")
    assert create(browser, organization).status_code == 403
    assert "keys/new/" not in text(browser.get(at(organization, "keys/")))
    assert not ApiKey.objects.exists()
