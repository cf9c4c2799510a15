"""`/v1/invoices`: papers for programs, their documents, and paying an open one."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Organization, User
from billing.invoicing import documents
from billing.invoicing.papers import Line
from billing.models import InvoiceDocument, LedgerEntry, Payment
from tests import factories
from tests.billing.invoicing.drafts import DECEMBER, credit, issue
from tests.conftest import Api

PATH = "/v1/invoices"


@pytest.fixture
def payer(organization: Organization, settings: Any) -> Organization:
    settings.SELLER = {**settings.SELLER, "country": "DE", "vat_id": "DE136695976"}
    factories.card(organization)
    return organization


@pytest.fixture
def client(alice: User, api: Any) -> Api:
    return api(alice)  # type: ignore[no-any-return]


def test_a_paper_in_its_shape(client: Api, payer: Organization) -> None:
    paper = issue(payer, "100.50", currency="USD")
    body = client.get(f"{PATH}/{paper.public_id}").json()
    assert body == {
        "id": paper.public_id,
        "number": paper.number,
        "kind": "invoice",
        "status": "open",
        "currency": "USD",
        "period_start": "2026-11-01T00:00:00Z",
        "period_end": "2026-12-01T00:00:00Z",
        "lines": [
            {
                "description": "SMS",
                "meter": "sms",
                "organization": None,
                "quantity": 100.5,
                "unit_amount": 1,
                "amount": 100.5,
            }
        ],
        "subtotal": 100.5,
        "tax": 0,
        "total": 100.5,
        "issued_at": "2026-12-01T00:00:00Z",
        "due_at": "2026-12-01T00:00:00Z",
        "paid_at": None,
        "corrects": None,
    }


def test_they_are_listed_filtered_and_polled(client: Api, payer: Organization) -> None:
    invoice = issue(payer, 10, currency="USD")
    note = credit(invoice, "5")
    statement = issue(payer, 7, kind="statement", now=DECEMBER + timedelta(days=1))

    def listed(query: str = "") -> list[str]:
        return [paper["id"] for paper in client.get(f"{PATH}{query}").json()["results"]]

    newest_first = [paper.public_id for paper in (statement, note, invoice)]
    assert listed() == newest_first
    assert listed("?after=0") == newest_first[::-1]
    assert listed(f"?after={invoice.public_id}") == [note.public_id, statement.public_id]
    assert listed("?kind=credit_note") == [note.public_id]
    assert listed("?status=open") == [invoice.public_id]
    assert listed("?from=2026-12-02") == [statement.public_id]
    assert client.get(f"{PATH}?kind=letter").status_code == 400


def test_the_document_and_the_e_invoice(client: Api, payer: Organization) -> None:
    paper = issue(payer, 10, currency="USD")
    early = client.get(f"{PATH}/{paper.public_id}/pdf")
    assert (early.status_code, early.json()["code"]) == (409, "document_not_ready")
    documents.make_due(DECEMBER)
    document = InvoiceDocument.objects.get(invoice=paper)
    pdf, xml = (client.get(f"{PATH}/{paper.public_id}/{part}") for part in ("pdf", "xml"))
    assert (pdf["Content-Type"], pdf.content) == ("application/pdf", bytes(document.pdf))
    assert (xml["Content-Type"], xml.content.decode()) == ("application/xml", document.xml)
    assert pdf["ETag"] == f'"{document.sha256}"'


def test_a_statement_has_no_e_invoice(client: Api, payer: Organization) -> None:
    paper = issue(payer, 10, kind="statement")
    documents.make_due(DECEMBER)
    assert client.get(f"{PATH}/{paper.public_id}/xml").status_code == 404


def test_an_open_invoice_is_paid_once(client: Api, payer: Organization) -> None:
    paper = issue(payer, 10, currency="USD")
    answers = [client.post(f"{PATH}/{paper.public_id}/pay", {}, Idempotency_Key="once") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    body = answers[0].json()
    assert (body["purpose"], body["status"], body["invoice"]) == ("invoice", "succeeded", paper.public_id)
    assert client.get(f"{PATH}/{paper.public_id}").json()["status"] == "paid"
    assert LedgerEntry.objects.of(payer).get().amount == 10
    again = client.post(f"{PATH}/{paper.public_id}/pay", {})
    assert (again.status_code, again.json()["code"]) == (409, "invoice_not_payable")


def test_a_decline_is_a_402_and_it_stays_open(client: Api, payer: Organization) -> None:
    paper = issue(payer, 10, currency="USD")
    declined = factories.card(payer, "pm_card_chargeDeclined")
    answer = client.post(f"{PATH}/{paper.public_id}/pay", {"payment_method": declined.public_id})
    assert (answer.status_code, answer.json()["failure_code"]) == (402, "card_declined")
    assert client.get(f"{PATH}/{paper.public_id}").json()["status"] == "open"


def test_while_a_checkout_page_is_open_nothing_else_pays(client: Api, payer: Organization) -> None:
    paper = issue(payer, 10, currency="USD")
    page = client.post(f"{PATH}/{paper.public_id}/pay", {"checkout": True}).json()
    assert (page["status"], page["total"]) == ("pending", 10)
    second = client.post(f"{PATH}/{paper.public_id}/pay", {})
    assert (second.status_code, second.json()["code"]) == (409, "invoice_being_paid")
    assert second.json()["payment"] == page["id"]
    assert client.post(f"/v1/payments/{page['id']}/cancel").status_code == 200
    assert client.post(f"{PATH}/{paper.public_id}/pay", {}).status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"amount": 5}, "/amount"),
        ({"payment_method": "pm_unknown"}, "/payment_method"),
        ({"currency": "EUR"}, "/currency"),
        ({"checkout": "maybe"}, "/checkout"),
        ({"checkout": True, "payment_method": "pm_x"}, "/payment_method"),
        ({"return_url": "https://example.com"}, "/return_url"),
    ],
)
def test_a_bad_body_is_refused_and_nothing_moves(
    client: Api, payer: Organization, body: dict[str, Any], pointer: str
) -> None:
    paper = issue(payer, 10, currency="USD")
    answer = client.post(f"{PATH}/{paper.public_id}/pay", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not Payment.objects.of(payer).exists()


def test_neither_notes_nor_statements_are_paid(client: Api, payer: Organization) -> None:
    invoice = issue(payer, 10, currency="USD")
    for paper in (credit(invoice, "5"), issue(payer, Decimal(3), kind="statement")):  # type: ignore[arg-type]
        assert client.post(f"{PATH}/{paper.public_id}/pay", {}).status_code == 409


def test_the_exact_figures_as_csv(client: Api, payer: Organization) -> None:
    exact = [Line("SMS", "sms", payer.pk, Decimal("100.4"), Decimal("0.012345678"), Decimal("1.239506071"))]
    paper = issue(payer, "1.23", currency="USD", annex=exact)
    answer = client.get(f"{PATH}/{paper.public_id}/csv")
    assert answer["Content-Disposition"] == f'attachment; filename="{paper.number}.csv"'
    assert answer.content.decode().splitlines() == [
        "description,meter,organization,quantity,unit_amount,amount",
        f"SMS,sms,{payer.public_id},100.4,0.012345678,1.239506071",
    ]
    statement = issue(payer, 7, kind="statement", now=DECEMBER + timedelta(days=1))
    assert client.get(f"{PATH}/{statement.public_id}/csv").content.decode().splitlines()[1] == "SMS,sms,,7,1,7"
