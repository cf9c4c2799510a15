"""The pages of papers: the list, one paper, its PDF, paying it, and billing details with a VAT id."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import Organization, User
from billing.invoicing import documents
from billing.models import BillingAccount, InvoiceState, LedgerEntry, Payment, PaymentMethod
from billing.payments import payments
from tests import factories
from tests.billing.invoicing.drafts import DECEMBER, credit, issue

DETAILS = {"name": "Acme GmbH", "email": "a@example.com", "country": "DE", "vat_id": "de 136 695 976", "city": "Berlin"}


@pytest.fixture
def site(alice: User, organization: Organization) -> Client:
    factories.card(organization)
    client = Client()
    client.force_login(alice)
    return client


def address(organization: Organization, rest: str = "") -> str:
    return f"/o/{organization.public_id}/invoices/{rest}"


def keep(name: str, page: Any) -> None:
    """For looking at the pages: PAGES names a folder for them."""
    if folder := os.environ.get("PAGES"):
        Path(folder, f"{name}.html").write_bytes(page.content)


def test_the_list_leads_to_papers_and_their_documents(site: Client, organization: Organization) -> None:
    keep("empty", site.get(address(organization)))
    invoice = issue(organization, 100, currency="USD")
    credit(invoice, "10")
    issue(organization, "12.5", kind="statement")
    documents.make_due(DECEMBER)
    page = site.get(address(organization))
    keep("list", page)
    text = page.content.decode()
    assert invoice.number in text
    assert address(organization, f"{invoice.public_id}/pdf/") in text
    pdf = site.get(address(organization, f"{invoice.public_id}/pdf/"))
    assert (pdf["Content-Type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")


def test_an_open_invoice_is_paid_once_on_its_page(site: Client, organization: Organization) -> None:
    invoice = issue(organization, 100, currency="USD")
    page = site.get(address(organization, f"{invoice.public_id}/"))
    keep("invoice", page)
    form = page.context["form"]
    sent = {"method": form.initial["method"].pk, "payment": form.initial["payment"]}
    for _ in range(2):
        assert site.post(address(organization, f"{invoice.public_id}/"), sent).status_code == 302
    assert InvoiceState.objects.get(pk=invoice.pk).status == "paid"
    assert LedgerEntry.objects.of(organization).get().amount == 100
    after = site.get(address(organization, f"{invoice.public_id}/"))
    assert "The invoice is paid" in after.content.decode()
    assert after.context["form"] is None


def test_an_open_invoice_is_paid_on_the_gateways_page(site: Client, organization: Organization) -> None:
    PaymentMethod.objects.all().delete()
    invoice = issue(organization, 100, currency="USD")
    page = site.get(address(organization, f"{invoice.public_id}/"))
    assert "for invoices that are due." in page.content.decode()  # what paying there agrees to
    sent = {"payment": page.context["form"].initial["payment"], "checkout": "1"}
    leaving, payment = site.post(address(organization, f"{invoice.public_id}/"), sent), Payment.objects.get()
    assert leaving.context["address"] == payment.next_action_url
    site.post(payment.next_action_url, {"card": "pm_card_visa"})
    payments.complete(payment.pk)
    assert InvoiceState.objects.get(pk=invoice.pk).status == "paid"
    assert PaymentMethod.objects.of(organization).get().consent.endswith("for invoices that are due.")


def test_a_form_without_a_card_changes_nothing(site: Client, organization: Organization) -> None:
    invoice = issue(organization, 100, currency="USD")
    assert site.post(address(organization, f"{invoice.public_id}/"), {}).status_code == 400
    assert InvoiceState.objects.get(pk=invoice.pk).status == "open"


def test_a_viewer_and_an_outsider_see_none(bob: User, charlie: User, organization: Organization) -> None:
    factories.billing_account(organization)
    invoice = issue(organization, 100)
    for person, status in ((bob, 403), (charlie, 404)):
        client = Client()
        client.force_login(person)
        for rest in ("", f"{invoice.public_id}/", f"{invoice.public_id}/pdf/", "details/"):
            assert client.get(address(organization, rest)).status_code == status, (person, rest)


def test_the_billing_details_take_a_vat_id_in_its_form(site: Client, organization: Organization) -> None:
    keep("details", site.get(address(organization, "details/")))
    assert site.post(address(organization, "details/"), DETAILS).status_code == 302
    account = BillingAccount.objects.of(organization).get()
    assert (account.name, account.vat_id, account.city) == ("Acme GmbH", "DE136695976", "Berlin")
    wrong = site.post(address(organization, "details/"), {**DETAILS, "vat_id": "DE136695977"})
    assert wrong.status_code == 400
    assert "This is no VAT id of DE" in wrong.content.decode()
    assert BillingAccount.objects.of(organization).get().vat_id == "DE136695976"
