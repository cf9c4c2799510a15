"""The search box: any id leads to its page, and nobody finds objects that they may not see."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts import people
from accounts.models import Event, Organization, User
from accounts.webhooks import endpoints
from billing.ledger import holds
from billing.models import Invoice, Payment, PaymentMethod
from billing.payments import payments, purchases
from tests import factories
from tests.browser import at, signed_in, text
from tests.usage.metering.batches import event, record
from usage.reporting import search

EVERYTHING = frozenset(scope for scope, _ in search.FINDERS)


@pytest.fixture
def filled(alice: User, organization: Organization) -> dict[str, tuple[str, str]]:
    """What can be typed, with the type that it is and the page that it leads to."""
    factories.card(organization)
    payment = payments.complete(purchases.begin(organization, amount=Decimal(10), method=None, by="test").pk)
    key, secret = factories.key(organization, created_by=alice)
    hold = holds.place(organization, amount=Decimal(1), ttl=timedelta(hours=1), now=timezone.now())
    params = {"url": "https://example.com/hook", "event_types": ["*"]}
    endpoint, _ = endpoints.create(organization, params, scopes=EVERYTHING)
    record(event(organization, id="req/17"))
    child = people.add_child(organization, name="Lab")
    factories.invitation(organization, "new@example.com", by=alice)
    paper, happened = Invoice.objects.of(organization).get(), Event.objects.filter(organization=organization).first()
    assert happened is not None
    card = PaymentMethod.objects.of(organization).get()
    return {
        key.public_id: ("api_key", f"keys/{key.public_id}/"),
        secret[:12]: ("api_key", f"keys/{key.public_id}/"),
        "#2": ("ledger_entry", "ledger/2/"),
        payment.public_id: ("payment", f"payments/{payment.public_id}/"),
        hold.public_id: ("hold", "credits/holds/?q=hold_"),
        card.public_id: ("payment_method", "credits/#cards"),
        paper.number.lower(): ("invoice", f"invoices/{paper.public_id}/"),
        paper.public_id: ("invoice", f"invoices/{paper.public_id}/"),
        happened.public_id: ("event", f"events/{happened.public_id}/"),
        endpoint.public_id: ("webhook_endpoint", f"webhooks/{endpoint.public_id}/"),
        "req/17": ("usage_event", "ledger/2/"),
        child.public_id: ("organization", f"/o/{child.public_id}/"),
        "new@example.com": ("invitation", "people/"),
        alice.email: ("member", "people/"),
    }


def test_every_id_leads_to_its_page_and_nobody_elses(
    alice: User, charlie: User, organization: Organization, filled: dict[str, tuple[str, str]]
) -> None:
    browser, theirs = signed_in(alice), charlie.current_organization
    assert theirs is not None
    for typed, (kind, page) in filled.items():
        hits = search.find(organization, EVERYTHING, typed)
        assert kind in {hit.type for hit in hits}, typed
        page_of_it = next(hit.page for hit in hits if hit.type == kind)
        assert page_of_it.startswith(page if page.startswith("/") else at(organization, page)), typed
        if len(hits) == 1:
            assert browser.get(at(organization, "search/"), {"q": typed})["Location"] == page_of_it
        if typed != "#2":
            assert search.find(theirs, EVERYTHING, typed) == [], typed
        assert search.find(organization, frozenset(), typed) == []


def test_programs_find_the_same(api: Any, alice: User, organization: Organization) -> None:
    payment = Payment.objects.of(organization)
    assert not payment.exists()
    child = people.add_child(organization, name="Lab")
    (hit,) = api(alice).get("/v1/search?q=lab").json()["results"]
    assert (hit["type"], hit["id"], hit["title"]) == ("organization", child.public_id, "Lab")
    assert api(alice).get("/v1/search?q=").json()["errors"][0]["pointer"] == "/q"
    assert api(alice).get("/v1/search?q=nothing%20of%20it").json() == {"results": []}


def test_a_page_without_a_match_says_so(alice: User, organization: Organization) -> None:
    browser = signed_in(alice)
    assert "Nothing has this id" in text(browser.get(at(organization, "search/?q=pay_x")))
    assert "Find any id" in text(browser.get(at(organization, "search/")))


def test_the_organizations_of_who_has_many_are_searched(alice: User, organization: Organization) -> None:
    browser = signed_in(alice)
    assert "Find an organization" not in text(browser.get(at(organization)))
    for number in range(10):
        people.add_child(organization, name=f"Branch {number}")
    assert "Find an organization" in text(browser.get(at(organization)))
    page = text(browser.get("/organizations/?q=branch 7"))
    assert "Branch 7" in page
    assert page.count("Open<span") == 1
    assert "No organization matches" in text(browser.get("/organizations/?q=zzz"))


@pytest.mark.parametrize("language", ["curl", "python", "javascript", "cobol"])
def test_the_quickstart_names_their_own_key(alice: User, organization: Organization, language: str) -> None:
    browser = signed_in(alice)
    assert "no key yet" in text(browser.get(at(organization, "quickstart/")))
    factories.key(organization, created_by=alice)
    key, _ = factories.key(organization, created_by=alice, permissions=["usage:read"])
    factories.key(organization, created_by=alice)
    page = text(browser.get(at(organization, f"quickstart/?language={language}")))
    assert f"group_by=endpoint&amp;key={key.public_id}" in page
    assert page.count("lacks the permission") == 1
