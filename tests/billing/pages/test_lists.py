"""Lists have a search, a file of what they show, and say whether nothing is there or nothing matches."""

from decimal import Decimal

from accounts.models import Organization, User
from billing.models import Invoice
from billing.payments import payments, purchases
from tests import factories
from tests.browser import at, signed_in, text


def test_papers(alice: User, organization: Organization) -> None:
    browser = signed_in(alice)
    assert "No invoices yet" in text(browser.get(at(organization, "invoices/")))
    factories.card(organization)
    payments.complete(purchases.begin(organization, amount=Decimal(10), method=None, by="test").pk)
    paper = Invoice.objects.of(organization).get()
    assert "No paper matches" in text(browser.get(at(organization, "invoices/?kind=credit_note")))
    assert paper.number in text(browser.get(at(organization, f"invoices/?q={paper.number[-4:]}&status=paid")))
    lines = browser.get(at(organization, "invoices/?format=csv")).content.decode().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [[paper.number, "invoice", "paid"]]


def test_keys(alice: User, organization: Organization) -> None:
    browser = signed_in(alice)
    key, secret = factories.key(organization, created_by=alice)
    assert key.public_id in text(browser.get(at(organization, "keys/?q=test K")))
    assert "No key matches" in text(browser.get(at(organization, "keys/?q=other")))
    table = browser.get(at(organization, "keys/?format=csv")).content.decode()
    assert table.splitlines()[1].startswith(f"{key.public_id},Test key,live,active,")
    assert secret not in table


def test_people(alice: User, bob: User, organization: Organization) -> None:
    browser = signed_in(alice)
    assert bob.email in text(browser.get(at(organization, "people/?q=bOb")))
    assert "Nobody matches" in text(browser.get(at(organization, "people/?q=zed")))
    lines = browser.get(at(organization, "people/?format=csv&q=bob")).content.decode().splitlines()
    assert [line.split(",")[1:3] for line in lines[1:]] == [[bob.email, "viewer"]]


def test_a_card_becomes_the_default_or_the_backup(alice: User, bob: User, organization: Organization) -> None:
    browser, first = signed_in(alice), factories.card(organization)
    second = factories.card(organization, "pm_card_mastercard")
    assert "Make backup" in text(browser.get(at(organization, "credits/")))
    assert browser.post(at(organization, f"credits/cards/{second.public_id}/backup/")).status_code == 302
    second.refresh_from_db()
    assert second.is_backup
    browser.post(at(organization, f"credits/cards/{second.public_id}/default/"))
    for card in (first, second):
        card.refresh_from_db()
    assert (first.is_default, second.is_default, second.is_backup) == (False, True, False)
    assert signed_in(bob).post(at(organization, f"credits/cards/{first.public_id}/default/")).status_code == 403
    for unknown in ("pm_x", f"pm_{organization.pk.hex}"):
        assert browser.post(at(organization, f"credits/cards/{unknown}/default/")).status_code == 404
