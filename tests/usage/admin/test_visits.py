"""An operator visits a customer: pages are read, nothing is changed, no secret shown, nothing exported, for an hour."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from accounts import people
from accounts.exports import jobs
from accounts.models import Event, Organization, SecurityPolicy, User, Visit
from apikeys.models import ApiKey
from billing.models import Invoice, LedgerEntry, Payment
from tests import factories
from tests.browser import at, signed_in, text

OTHERS = {"uuid": str(UUID(int=1)), "int": "7", "acct": "acct_0000000000000000", "key": "key_0000000000000000"}
REASON = "You asked why a call was refused"


def staff(*codenames: str) -> User:
    person = User.objects.create_user(f"{factories.unique('staff')}@example.com", factories.PASSWORD, is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return person


@pytest.fixture
def visitor(db: None) -> User:
    return staff("visit_customer", "view_organization")


def begin(browser: Client, organization: Organization, reason: str = REASON) -> Any:
    return browser.post(f"/admin/customers/{organization.public_id}/visit/", {"reason": reason})


@pytest.fixture
def browser(visitor: User, busy: ApiKey, organization: Organization) -> Client:
    """Visits alice's organization."""
    browser = signed_in(visitor)
    assert begin(browser, organization)["Location"] == at(organization)
    return browser


def test_the_visitor_reads_what_the_owner_reads(browser: Client, organization: Organization) -> None:
    child = people.add_child(organization, name="Laboratory")
    paths = ("", "usage/", "credits/", "credits/ledger/", "invoices/", "keys/", "people/", "events/", "webhooks/")
    for path in (*paths, "plan/", "organizations/", f"organizations/{child.public_id}/"):
        page = browser.get(at(organization, path))
        assert page.status_code == 200, path
        assert "You are visiting" in text(page)
    assert browser.get(at(child)).status_code == 200


def test_it_reaches_no_other_customer(browser: Client, charlie: User) -> None:
    assert charlie.current_organization is not None
    assert browser.get(at(charlie.current_organization)).status_code == 404


def addresses(organization: Organization, key: ApiKey) -> Iterator[str]:
    """Every address of the pages, with the customer's own ids in it."""
    child = people.add_child(organization, name="Child")
    ids = {
        "organization": organization.public_id,
        "node": child.public_id,
        "key": key.public_id,
        "member": str(key.created_by_id),
        "seq": "1",
        "month": f"{timezone.now():%Y-%m}",
        "payment": Payment.objects.of(organization).get().public_id,
        "invoice": Invoice.objects.of(organization).first().public_id,  # type: ignore[union-attr]
        "event": Event.objects.of(organization).first().public_id,  # type: ignore[union-attr]
    }
    for route in routes(get_resolver().url_patterns):
        if not route.startswith(("v1/", "auth/", "api/", "admin/", "docs", "webhooks/")) and "(?P" not in route:
            yield "/" + re.sub(r"<(?:(\w+):)?(\w+)>", lambda match: ids.get(match[2], OTHERS.get(match[1], "x")), route)


def routes(patterns: Any, start: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = start + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route


def test_no_form_is_taken_no_file_given_and_no_secret_shown(
    browser: Client, organization: Organization, busy: ApiKey
) -> None:
    """On every route of the pages, whatever comes later."""
    _, secret = factories.key(organization, created_by=busy.created_by)
    before = (Event.objects.count(), LedgerEntry.objects.count(), ApiKey.objects.count())
    tried = 0
    for address in addresses(organization, busy):
        answer = browser.get(address)
        assert "Content-Disposition" not in answer.headers, address
        assert answer.status_code != 500, address
        if hasattr(answer, "content"):
            assert secret.encode() not in answer.content, address
        if address.startswith("/o/"):
            tried += 1
            for send in (browser.post, (browser.put, browser.patch, browser.delete)[tried % 3]):
                assert send(address).status_code == 403, address
    assert tried > 40
    assert (Event.objects.count() - 1, LedgerEntry.objects.count(), ApiKey.objects.count()) == before


@pytest.mark.parametrize("path", ["events/export/", "usage/?format=csv", "usage/months/2026-10/?format=csv"])
def test_an_export_is_refused(browser: Client, organization: Organization, path: str) -> None:
    assert browser.get(at(organization, path)).status_code == 403


def test_a_refused_download_is_not_told_as_one(visitor: User, organization: Organization) -> None:
    export = jobs.of_organization(organization, by="user:1", now=timezone.now())
    jobs.run(timezone.now())
    browser = signed_in(visitor)
    browser.post("/accounts/confirm/", {"password": factories.PASSWORD})
    begin(browser, organization)
    assert browser.get(at(organization, f"exports/{export.pk}/")).status_code == 403
    assert not Event.objects.filter(type="export.downloaded").exists()


def test_outside_of_the_customers_pages_the_visitor_changes_nothing_either(browser: Client, visitor: User) -> None:
    for address in ("/profile/", "/theme/", "/accounts/email/", "/accounts/password/change/"):
        assert browser.post(address, {"name": "x"}).status_code == 403
    visitor.refresh_from_db()
    assert visitor.name == ""


def test_the_admin_stays_the_operators_own_place(browser: Client, organization: Organization) -> None:
    page = browser.get(f"/admin/customers/{organization.public_id}/")
    assert page.status_code == 200
    assert "You are visiting" in text(page)
    assert browser.post(f"/admin/customers/{organization.public_id}/notes/", {"text": "x"}).status_code == 403


def test_the_customer_sees_who_was_there_and_why(
    browser: Client, organization: Organization, api: Any, alice: User, visitor: User
) -> None:
    event = next(row for row in api(alice).get("/v1/events").json()["results"] if row["type"] == "visit.started")
    assert (event["data"]["reason"], event["actor"]) == (REASON, {"kind": "operator", "id": f"user:{visitor.pk}"})
    page = text(signed_in(alice).get(at(organization)))
    assert f"“{REASON}”" in page
    assert "They are here now." in page
    assert visitor.email not in page
    browser.post("/visits/end/")
    assert "They are here now." not in text(signed_in(alice).get(at(organization)))
    assert Event.objects.of(organization).filter(type="visit.ended").exists()


def test_it_ends_by_its_button_and_by_itself(browser: Client, organization: Organization) -> None:
    answer = browser.post("/visits/end/")
    assert answer["Location"] == f"/admin/customers/{organization.public_id}/"
    assert browser.get(at(organization)).status_code == 404
    begin(browser, organization)
    with time_machine.travel(timezone.now() + timedelta(minutes=59)):
        assert browser.get(at(organization)).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        assert browser.get(at(organization)).status_code == 404


@pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}, {"user_permissions": ()}])
def test_it_ends_when_the_right_is_gone(
    browser: Client, visitor: User, organization: Organization, change: dict[str, Any]
) -> None:
    if "user_permissions" in change:
        visitor.user_permissions.clear()
    else:
        User.objects.filter(pk=visitor.pk).update(**change)
    assert browser.get(at(organization)).status_code in (302, 404)


def test_it_needs_the_second_factor(browser: Client, organization: Organization, settings: Any) -> None:
    settings.OPERATOR_SECOND_FACTOR = True
    assert browser.get(at(organization)).status_code == 404


def test_it_is_of_one_session_and_one_operator(browser: Client, visitor: User, organization: Organization) -> None:
    assert signed_in(visitor).get(at(organization)).status_code == 404
    other = signed_in(staff("visit_customer", "view_organization"))
    session = other.session
    session["visit"] = browser.session["visit"]
    session.save()
    assert other.get(at(organization)).status_code == 404


@pytest.mark.parametrize("codenames", [[], ["view_organization"], ["view_organization", "change_organization"]])
def test_without_the_right_nobody_visits(codenames: list[str], organization: Organization) -> None:
    assert begin(signed_in(staff(*codenames)), organization).status_code == 403
    assert not Visit.objects.exists()


@pytest.mark.parametrize("reason", ["", "x", "x" * 201])
def test_a_visit_needs_a_reason(visitor: User, organization: Organization, reason: str) -> None:
    assert begin(signed_in(visitor), organization, reason).status_code == 200
    assert not Visit.objects.exists()


def test_the_database_keeps_visits_short_and_one_at_a_time(
    browser: Client, visitor: User, organization: Organization
) -> None:
    begin(browser, organization)
    assert Visit.objects.filter(ended_at=None).count() == 1
    now, terms = timezone.now(), {"organization": organization, "operator": visitor, "reason": REASON}
    for minutes, ended_at in ((61, now), (10, None)):
        with pytest.raises(DatabaseError), transaction.atomic():
            Visit.objects.create(
                **terms, started_at=now, expires_at=now + timedelta(minutes=minutes), ended_at=ended_at
            )


def test_the_customers_policies_do_not_bind_the_visitor(browser: Client, organization: Organization) -> None:
    SecurityPolicy.objects.create(organization=organization, allowed_networks=["192.0.2.0/24"], require_two_factor=True)
    assert browser.get(at(organization)).status_code == 200
