"""Lists have a search and a CSV file of what they show, and tell an empty list from one without matches."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import people
from accounts.models import Organization, User
from accounts.pages import paging
from accounts.pages.paging import CappedPaginator
from billing.ledger import holds
from billing.models import Grant, Invoice, LedgerAccount, Payment, PaymentMethod
from billing.pages.hold_list import HoldsView
from billing.pages.ledger import LedgerView
from billing.payments import payments, purchases
from tests import factories
from tests.browser import at, messages_of, signed_in, text


def test_papers(alice: User, organization: Organization) -> None:
    browser = signed_in(alice)
    assert "No invoices yet" in text(browser.get(at(organization, "invoices/")))
    factories.card(organization)
    payments.complete(purchases.begin(organization, amount=Decimal(10), method=None, by="test").pk)
    paper = Invoice.objects.of(organization).get()
    assert "Nothing matches the filter" in text(browser.get(at(organization, "invoices/?kind=credit_note")))
    assert paper.number in text(browser.get(at(organization, f"invoices/?q={paper.number[-4:]}&status=paid")))
    lines = browser.get(at(organization, "invoices/?format=csv")).content.decode().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [[paper.number, "invoice", "paid"]]


def test_a_long_list_is_not_counted_to_its_end(
    monkeypatch: pytest.MonkeyPatch, alice: User, organization: Organization
) -> None:
    monkeypatch.setattr(CappedPaginator, "limit", 3)
    monkeypatch.setattr(paging, "MOST", 3)
    monkeypatch.setattr(paging, "DEEPEST", 4)
    monkeypatch.setattr(LedgerView, "paginate_by", 2)
    browser, page = signed_in(alice), at(organization, "credits/ledger/?page=")
    for _ in range(5):
        factories.credit(organization, 1)
    with CaptureQueriesContext(connection) as queries:
        assert "1–2 of more than 3" in text(browser.get(f"{page}1"))
    counts = [query["sql"] for query in queries if "COUNT(*)" in query["sql"] and "ledgerentry" in query["sql"]]
    assert [sql for sql in counts if "LIMIT 4" not in sql] == []
    for number in ("2", "last"):
        assert "3–4 of more than 4" in text(browser.get(f"{page}{number}"))
    assert [browser.get(f"{page}{number}").status_code for number in ("4", 10**30)] == [404, 404]


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
    browser.post(at(organization, "people/"), {"email": "dora@example.com", "role": "viewer"})
    assert "dora@example.com" in text(browser.get(at(organization, "people/?q=DORA")))
    assert "dora@example.com" not in text(browser.get(at(organization, "people/?q=bob")))
    lines = browser.get(at(organization, "people/?format=csv&list=invitations")).content.decode().splitlines()
    assert [line.split(",")[1:3] for line in lines[1:]] == [["dora@example.com", "viewer"]]


def test_service_accounts(alice: User, organization: Organization) -> None:
    browser = signed_in(alice)
    for name in ("Deployment", "Reports"):
        form = {"name": name, "role": "viewer", "responsible": alice.pk}
        browser.post(at(organization, "people/service-accounts/"), form)
    page = text(browser.get(at(organization, "people/service-accounts/?q=deploy")))
    assert ("<strong>Deployment</strong>" in page, "<strong>Reports</strong>" in page) == (True, False)
    assert "No service account matches" in text(browser.get(at(organization, "people/service-accounts/?q=zed")))
    lines = browser.get(at(organization, "people/service-accounts/?format=csv&q=rep")).content.decode().splitlines()
    assert [line.split(",")[1:4] for line in lines[1:]] == [["Reports", "viewer", alice.email]]


def test_the_tree(alice: User, organization: Organization) -> None:
    browser, child = signed_in(alice), people.add_child(organization, name="Website")
    page = text(browser.get(at(organization, "organizations/?q=webS")))
    assert (f"/organizations/{child.public_id}/" in page, f"/organizations/{organization.public_id}/" in page) == (
        True,
        False,
    )
    assert "No organization matches" in text(browser.get(at(organization, "organizations/?q=zed")))
    lines = (
        browser.get(at(organization, f"organizations/?format=csv&q={child.public_id}")).content.decode().splitlines()
    )
    assert lines[1:] == [f"{child.public_id},Website,{organization.public_id},active,0,"]


def test_payments(alice: User, bob: User, organization: Organization) -> None:
    browser, card = signed_in(alice), factories.card(organization)
    assert "No payments yet" in text(browser.get(at(organization, "payments/")))
    paid = payments.complete(purchases.begin(organization, amount=Decimal(10), method=None, by="test").pk)
    assert f"•••• {card.last4}" in text(browser.get(at(organization, "payments/?status=succeeded&purpose=purchase")))
    assert "Nothing matches the filter" in text(browser.get(at(organization, "payments/?status=failed")))
    assert card.brand.title() in text(browser.get(at(organization, f"payments/?q={card.last4}")))
    for other in ("0000", "pay_x", f"pay_{organization.pk.hex}"):
        assert "Nothing matches the filter" in text(browser.get(at(organization, f"payments/?q={other}")))
    lines = browser.get(at(organization, f"payments/?format=csv&q={paid.public_id}")).content.decode().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [paid.public_id]
    assert signed_in(bob).get(at(organization, "payments/")).status_code == 403


def test_lots(alice: User, organization: Organization) -> None:
    browser, page = signed_in(alice), at(organization, "credits/lots/")
    assert "No credits yet" in text(browser.get(page))
    factories.credit(organization, 20)
    lot = Grant.objects.of(organization).get()
    for query in (f"q={lot.public_id}", f"q=%23{lot.entry_seq}", "state=left", f"category={lot.category}"):
        assert f"/ledger/{lot.entry_seq}/" in text(browser.get(f"{page}?{query}"))
    for query in ("state=spent", "q=grant_x", f"q={lot.entry_seq + 1}", "q=²"):
        assert "Nothing matches the filter" in text(browser.get(f"{page}?{query}"))
    lines = browser.get(f"{page}?format=csv&state=left").content.decode().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [lot.public_id]


def test_holds(alice: User, organization: Organization) -> None:
    browser, page = signed_in(alice), at(organization, "credits/holds/")
    assert "Nothing was reserved yet" in text(browser.get(page))
    factories.credit(organization, 20)
    now = timezone.now()
    hold = holds.place(organization, amount=Decimal(3), ttl=timedelta(hours=1), reference="call-4711", now=now)
    for query in (f"q={hold.public_id}", "q=4711", "status=open", "purpose=hold"):
        assert hold.public_id in text(browser.get(f"{page}?{query}"))
    for query in ("status=released", "purpose=lease", "q=hold_x"):
        assert "Nothing matches the filter" in text(browser.get(f"{page}?{query}"))
    lines = browser.get(f"{page}?format=csv").content.decode().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [[hold.public_id, "hold", "open"]]


def test_a_csv_that_would_be_too_long_has_the_newest_lines(
    alice: User, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HoldsView, "most", 1)
    browser, page, now = signed_in(alice), at(organization, "credits/holds/"), timezone.now()
    factories.credit(organization, 10)
    first = holds.place(organization, amount=Decimal(1), ttl=timedelta(hours=1), now=now)
    assert "The CSV has the newest" not in text(browser.get(page))
    second = holds.place(organization, amount=Decimal(1), ttl=timedelta(hours=1), now=now)
    assert "The CSV has the newest 1." in text(browser.get(page))
    csv = browser.get(f"{page}?format=csv").content.decode()
    assert (second.public_id in csv, first.public_id in csv) == (True, False)


def test_the_holds_of_an_organization_beneath(alice: User, organization: Organization) -> None:
    child = people.add_child(organization, name="Website")
    factories.credit(organization, 20)
    hold = holds.place(child, amount=Decimal(3), ttl=timedelta(hours=1), now=timezone.now())
    assert hold.public_id in text(signed_in(alice).get(at(child, "credits/holds/")))
    found = signed_in(alice).get(at(child, f"search/?q={hold.public_id}"))
    assert found["Location"] == at(child, f"credits/holds/?q={hold.public_id}")


def test_the_warning_of_a_low_balance_is_set(alice: User, bob: User, organization: Organization) -> None:
    browser, page = signed_in(alice), at(organization, "credits/warning/")
    factories.card(organization)
    ledger = LedgerAccount.objects.of(organization)
    assert browser.post(page, {"low_balance": "20"}).status_code == 302
    assert ledger.get().low_balance == 20
    refused = browser.post(page, {"low_balance": "-1"})
    assert (refused.status_code, 'value="-1"' in text(refused)) == (400, True)
    assert 'value="20"' in text(browser.get(page))
    browser.post(page, {"low_balance": ""})
    assert ledger.get().low_balance is None
    assert signed_in(bob).post(page, {"low_balance": "1"}).status_code == 403


def test_auto_recharge_that_is_paused_is_tried_again(alice: User, organization: Organization) -> None:
    browser, page = signed_in(alice), at(organization, "credits/auto-recharge/")
    factories.card(organization, "pm_card_chargeDeclined")
    browser.post(page, {"enabled": "on", "threshold": "20", "amount": "50"})
    assert "Try again now" in text(browser.get(page))
    assert browser.post(f"{page}retry/")["Location"] == page
    assert Payment.objects.of(organization).filter(status="failed").count() == 2


def test_a_card_is_removed_after_a_question(alice: User, bob: User, organization: Organization) -> None:
    browser, card = signed_in(alice), factories.card(organization)
    other = factories.card(organization, "pm_card_mastercard")
    address = at(organization, f"credits/cards/{card.public_id}/remove/")
    assert f"Mastercard ending in {other.last4} becomes the default card." in text(browser.get(address))
    assert (signed_in(bob).get(address).status_code, signed_in(bob).post(address).status_code) == (403, 403)
    assert messages_of(browser.post(address)) == [f"Visa ending in {card.last4} is removed."]
    assert [row.pk for row in PaymentMethod.objects.of(organization).filter(is_default=True)] == [other.pk]
    assert browser.get(address).status_code == browser.post(address).status_code == 404


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
