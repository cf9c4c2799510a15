"""The page of a customer, found by anything that it has; and notes that nobody else reads."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts import people
from accounts.models import Event, OperatorNote, Organization, User
from apikeys.models import ApiKey
from billing.ledger import holds
from billing.models import Hold, LedgerEntry, Payment, PaymentMethod
from tests import factories
from tests.browser import signed_in, text
from usage.admin import lookup

SEARCH = "/admin/search/"


def anything(permission: str) -> bool:
    return True


def page_of(organization: Organization) -> str:
    return f"/admin/customers/{organization.public_id}/"


def test_all_of_a_customer_is_on_its_page(operator: Client, busy: ApiKey, organization: Any, alice: User) -> None:
    child = people.add_child(organization, name="Laboratory")
    held = holds.place(organization, amount=Decimal(3), ttl=timedelta(minutes=5), now=timezone.now())
    page = text(operator.get(page_of(organization)))
    payment = Payment.objects.of(organization).get()
    parts = [alice.email, child.public_id, busy.public_id, payment.public_id, held.public_id, "visa …4242"]
    parts += ["Auto-recharge is off.", "USD\u00a016.00", payment.invoice.number, "payment.succeeded"]  # type: ignore[union-attr]
    assert [part for part in parts if part not in page] == []
    for kind in ("adjust", "grant", "credit_limit", "suspend"):
        assert f"/new/{kind}/{organization.public_id}/" in page
    assert f"/new/refund/{payment.public_id}/" in page
    assert f"/new/suspend/{child.public_id}/" in page
    assert f"/new/reverse/{organization.public_id}.1/" in page


def test_a_childs_page_is_its_payers(operator: Client, organization: Organization) -> None:
    child = people.add_child(organization, name="Laboratory")
    assert operator.get(page_of(child))["Location"] == page_of(organization)
    assert operator.get("/admin/customers/acct_0000000000000000/").status_code == 404


def terms(organization: Any, alice: User, key: ApiKey) -> dict[str, str]:
    """Whatever an operator may have in hand."""
    payment = Payment.objects.of(organization).get()
    card = PaymentMethod.objects.of(organization).get()
    hint = key.secrets.get().hint
    return {
        "public id": organization.public_id,
        "auth id": organization.auth_id,
        "payer": organization.billing_account.public_id,
        "email": alice.email.upper(),
        "payer's email": organization.billing_account.email,
        "payment": payment.public_id,
        "intent": payment.intent,
        "card": card.public_id,
        "invoice": payment.invoice.public_id,  # type: ignore[union-attr]
        "number": payment.invoice.number,  # type: ignore[union-attr]
        "key": key.public_id,
        "hint": hint,
        "secret": f"{hint[:12]}0123456789",
        "event": Event.objects.of(organization).latest("id").public_id,
        "grant": LedgerEntry.objects.get(account=organization.pk, seq=1).account.grants.get().public_id,
        "beginning of its id": organization.public_id[:12],
        "name": organization.name,
    }


def test_a_customer_is_reached_by_anything_that_it_has(
    operator: Client, busy: ApiKey, organization: Any, alice: User
) -> None:
    organization.name = "Quagmire Industries"
    organization.save(update_fields=["name"])
    missed = {
        name: term
        for name, term in terms(organization, alice, busy).items()
        if operator.get(SEARCH, {"q": f" {term} "}).headers.get("Location") != page_of(organization)
    }
    assert missed == {}


def test_an_exact_id_leaves_nobody_else(operator: Client, busy: ApiKey, organization: Any) -> None:
    """A stranger may call themselves by an id of another."""
    stranger = factories.organization(organization.public_id)
    assert {hit.customer for hit in lookup.find(organization.public_id, anything)} == {organization}
    hits = lookup.find(organization.public_id[:20], anything)
    assert {hit.customer for hit in hits} == {organization, stranger}


def test_cards_with_the_same_last_four_are_all_listed(operator: Client, organization: Any, charlie: User) -> None:
    strangers: Any = charlie.current_organization
    for each in (organization, strangers):
        factories.card(each)
    page = text(operator.get(SEARCH, {"q": "4242"}))
    assert organization.public_id in page
    assert strangers.public_id in page


@pytest.mark.parametrize("term", ["", " ", "nobody-has-this", "\0", "pay_x", "%", "_", "x" * 500, "pay_" + "0" * 32])
def test_what_is_not_there_is_said(operator: Client, organization: Any, term: str) -> None:
    assert operator.get(SEARCH, {"q": term}).status_code == 200
    assert lookup.find(term, anything) == []


def test_the_search_finds_by_nothing_that_the_operator_may_not_see(
    busy: ApiKey, organization: Organization, alice: User
) -> None:
    """Neither the row's contents nor its existence."""
    by_id = {"public id", "auth id", "name", "beginning of its id"}
    for name, term in terms(organization, alice, busy).items():
        hits = lookup.find(term, {"accounts.view_organization"}.__contains__)
        assert bool(hits) == (name in by_id), name
    for term in (alice.email, alice.email[:8], alice.name):
        hits = lookup.find(term, lambda permission: permission != "accounts.view_user")
        assert not [hit for hit in hits if alice.email in hit.label]


def test_a_person_is_found_by_those_who_see_people(busy: ApiKey, organization: Organization, alice: User) -> None:
    looker = User.objects.create_user(f"{factories.unique('looker')}@example.com", "x", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_organization"))
    browser = signed_in(looker)
    assert alice.email not in text(browser.get(SEARCH, {"q": alice.email[:-2]})).replace(alice.email[:-2], "", 1)
    looker.user_permissions.add(Permission.objects.get(codename="view_user"))
    assert signed_in(looker).get(SEARCH, {"q": alice.email}).headers["Location"] == page_of(organization)


def test_a_note_is_kept_for_operators_only(operator: Client, api: Any, alice: User, organization: Organization) -> None:
    operator.post(f"{page_of(organization)}notes/", {"text": "Call before noon"})
    note = OperatorNote.objects.get()
    assert (note.organization, note.text) == (organization, "Call before noon")
    assert "Call before noon" in text(operator.get(page_of(organization)))
    for path in ("/v1/events", "/v1/organizations", "/v1/account"):
        assert b"Call before noon" not in api(alice).get(path).content
    assert operator.post(f"{page_of(organization)}notes/", {"text": " "}).status_code == 400
    assert OperatorNote.objects.count() == 1


def test_each_table_is_for_those_who_may_see_its_rows(busy: ApiKey, organization: Organization) -> None:
    looker = User.objects.create_user(f"{factories.unique('looker')}@example.com", "x", is_staff=True)
    browser = signed_in(looker)
    for path in (SEARCH, page_of(organization)):
        assert browser.get(path).status_code == 403
    looker.user_permissions.add(Permission.objects.get(codename="view_organization"))
    page = browser.get(page_of(organization))
    assert [section.title for section in page.context["sections"]] == ["Tree"]
    assert page.context["actions"] == [("History", page.context["actions"][0][1])]
    assert page.context["money"] is None
    assert "Save the note" not in text(page)
    assert browser.post(f"{page_of(organization)}notes/", {"text": "x"}).status_code == 403


def test_a_customer_is_not_let_in(alice: User, organization: Organization) -> None:
    for path in (SEARCH, page_of(organization), "/admin/"):
        assert signed_in(alice).get(path).status_code == 302


def test_the_page_asks_the_database_no_more_for_more_rows(
    operator: Client, busy: ApiKey, organization: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(4):
        people.add_child(organization, name=f"Child {number}")
        factories.key(organization, created_by=busy.created_by)
    with django_assert_max_num_queries(70):
        operator.get(page_of(organization))
    assert Hold.objects.count() == 0
