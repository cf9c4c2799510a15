"""The overview, and revoking a key beside what it did today."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts import people
from accounts.models import Organization, User
from apikeys import keys
from apikeys.models import ApiKey
from billing.ledger import posting
from billing.models import LedgerEntry
from tests import factories
from tests.browser import at, messages_of, signed_in, text
from tests.usage.metering.batches import event, record
from usage.reporting import onboarding


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


def overview(browser: Client, organization: Organization) -> Any:
    return browser.get(at(organization))


def test_the_balance_stands_first(browser: Client, funded: Organization) -> None:
    page = text(overview(browser, funded))
    assert page.index("100 <span") < page.index("Usage in")
    assert "Add credits" in page


def test_it_shows_what_was_used_this_month(browser: Client, funded: Organization) -> None:
    record(
        *(event(funded, endpoint="/a", quantity=1000) for _ in range(2)), event(funded, endpoint="/b", status="failed")
    )
    shown = overview(browser, funded).context
    assert (shown["totals"].requests, shown["totals"].failed) == (3, 1)
    assert shown["totals"].credits == Decimal("2.001")
    assert [(line.name, line.requests) for line in shown["endpoints"]] == [("/a", 2), ("/b", 1)]


def test_the_bars_and_the_table_say_the_same(browser: Client, funded: Organization) -> None:
    record(event(funded), event(funded, status="failed"))
    answer = overview(browser, funded)
    assert sum(bar.totals.requests for bar in answer.context["chart"].bars) == 2
    assert f"{timezone.now():%a} {timezone.now().day} {timezone.now():%b}: 2 requests, 1 failed" in text(answer)


def test_months_and_days_are_those_of_the_persons_time_zone(alice: User, funded: Organization) -> None:
    alice.timezone = "Asia/Kathmandu"
    alice.save()
    midnight = datetime(2026, 3, 31, 18, 15, tzinfo=UTC)  # there, April begins
    record(event(funded, occurred_at="2026-03-31T18:14:59Z"), event(funded, occurred_at=midnight.isoformat()))
    with time_machine.travel(midnight.replace(hour=23), tick=False):
        answer = overview(signed_in(alice), funded)
    assert answer.context["totals"].requests == 1
    assert "Usage in April" in text(answer)
    assert "Days in Asia/Kathmandu" in text(answer)


def test_it_shows_the_last_five_entries(browser: Client, organization: Organization) -> None:
    for _ in range(6):
        factories.credit(organization, 1)
    assert [entry.seq for entry in overview(browser, organization).context["entries"]] == [6, 5, 4, 3, 2]


def test_a_debt_is_called_a_debt(browser: Client, organization: Organization) -> None:
    posting.post(organization.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal("-0.5"), now=timezone.now())
    page = text(overview(browser, organization))
    assert "In debt" in page
    assert "−0.5 <span" in page


def test_first_steps_are_read_from_the_facts(alice: User, organization: Organization) -> None:
    assert list(onboarding.progress(organization).values()) == [False] * 5
    factories.card(organization)
    assert list(onboarding.progress(organization).values()) == [True, True, False, False, False]
    factories.credit(organization, 1)
    factories.key(organization, created_by=alice)
    record(event(organization))
    assert all(onboarding.progress(organization).values())


def test_first_steps_go_when_all_are_done(browser: Client, alice: User, organization: Organization) -> None:
    assert "Get started" in text(overview(browser, organization))
    factories.card(organization)
    factories.credit(organization, 1)
    factories.key(organization, created_by=alice)
    record(event(organization))
    assert "Get started" not in text(overview(browser, organization))


def test_only_steps_that_the_person_may_take_are_links(bob: User, organization: Organization) -> None:
    assert not [step.address for step in overview(signed_in(bob), organization).context["steps"] if step.address]


def test_a_viewer_is_not_offered_to_buy(bob: User, funded: Organization) -> None:
    assert "Add credits" not in text(overview(signed_in(bob), funded))


def test_a_child_shows_its_own_usage_and_no_money(browser: Client, funded: Organization) -> None:
    child = people.add_child(funded, name="Lab")
    record(event(child), event(funded))
    answer = overview(browser, child)
    assert answer.context["totals"].requests == 1
    assert "charged to the organization at the top" in text(answer)
    assert "Latest entries" not in text(answer)


def test_a_root_shows_the_usage_of_its_tree(browser: Client, funded: Organization) -> None:
    record(event(people.add_child(funded, name="Lab")), event(funded))
    assert overview(browser, funded).context["totals"].requests == 2


def test_revoking_is_confirmed_beside_what_the_key_did_today(
    browser: Client, alice: User, organization: Organization
) -> None:
    key, _ = factories.key(organization, created_by=alice)
    other, _ = factories.key(organization, created_by=alice)
    record(event(key), event(key, status="failed"), event(other))
    answer = browser.get(at(organization, f"keys/{key.public_id}/revoke/"))
    assert "it made 2 requests today" in text(answer)
    assert "1 of them failed" in text(answer)
    assert ApiKey.objects.get(pk=key.pk).revoked_at is None


def test_the_requests_of_a_test_key_are_counted_as_well(
    browser: Client, alice: User, organization: Organization
) -> None:
    key, _ = factories.key(organization, created_by=alice, environment="test")
    record(event(key))
    assert "it made 1 request today" in text(browser.get(at(organization, f"keys/{key.public_id}/revoke/")))


def test_a_revoked_key_is_refused_from_then_on(
    browser: Client, alice: User, organization: Organization, api: Any
) -> None:
    key, secret = factories.key(organization, created_by=alice)
    answer = browser.post(at(organization, f"keys/{key.public_id}/revoke/"), {"confirmation": key.name})
    assert answer["Location"] == at(organization, "keys/")
    assert messages_of(answer) == ["The key Test key is revoked. Calls with it are refused from now on."]
    key.refresh_from_db()
    assert key.status(timezone.now()) == "revoked"
    assert api(secret).get("/v1/account/details").status_code == 401


def test_a_key_that_is_revoked_already_is_not_asked_about(browser: Client, organization: Organization) -> None:
    key = keys.revoke(factories.key(organization)[0])
    answer = browser.get(at(organization, f"keys/{key.public_id}/revoke/"))
    assert answer["Location"] == at(organization, "keys/")


def test_a_form_of_a_key_that_was_revoked_meanwhile_leads_to_the_key(
    browser: Client, organization: Organization
) -> None:
    key, _ = factories.key(organization)
    keys.revoke(key)
    for verb in ("edit", "rotate", "disable", "enable"):
        for ask in (browser.get, browser.post):
            answer = ask(at(organization, f"keys/{key.public_id}/{verb}/"))
            if answer.status_code != 405:
                assert answer["Location"] == at(organization, f"keys/{key.public_id}/")
    assert ApiKey.objects.get(pk=key.pk).disabled_at is None


def test_a_viewer_may_not_revoke(bob: User, organization: Organization) -> None:
    key, _ = factories.key(organization)
    for method in ("get", "post"):
        answer = getattr(signed_in(bob), method)(at(organization, f"keys/{key.public_id}/revoke/"))
        assert answer.status_code == 403
    assert "Revoke" not in text(signed_in(bob).get(at(organization, "keys/"))).replace("Revoked", "")
    assert ApiKey.objects.get(pk=key.pk).revoked_at is None


def test_a_key_of_another_organization_is_not_found(browser: Client, charlie: User, organization: Organization) -> None:
    theirs = charlie.current_organization
    assert theirs is not None
    key, _ = factories.key(theirs)
    assert browser.post(at(organization, f"keys/{key.public_id}/revoke/")).status_code == 404
    assert browser.post(at(theirs, f"keys/{key.public_id}/revoke/")).status_code == 404
    assert ApiKey.objects.get(pk=key.pk).revoked_at is None
