"""Papers: frozen at issue, numbered without gaps, and corrected by credit notes alone."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.transaction import TransactionManagementError

from accounts.models import Event, Organization
from billing.invoicing import numbers, papers
from billing.models import BillingAccount, Invoice, InvoiceSeries, TaxRate
from tests import factories
from tests.attacks import run
from tests.billing.invoicing.drafts import DECEMBER, credit, draft, issue, line
from tests.concurrency import race


@pytest.fixture
def payer(organization: Organization) -> Organization:
    factories.billing_account(organization, country="DE")
    return organization


@pytest.fixture
def taxed(payer: Organization) -> Organization:
    TaxRate.objects.create(country="DE", valid_from=date(2026, 1, 1), percent=Decimal(19))
    return payer


def test_an_invoice_is_numbered_and_open(taxed: Organization) -> None:
    paper = Invoice.objects.get(pk=issue(taxed, 100, "0.05").pk)
    assert paper.number == f"INV-2026-{paper.ordinal:06}"
    assert (paper.subtotal, paper.tax, paper.total) == (Decimal("100.05"), Decimal("19.01"), Decimal("119.06"))
    assert (paper.state.status, paper.due_at, paper.state.next_attempt_at) == ("open", DECEMBER, DECEMBER)
    assert (paper.buyer["name"], paper.seller["name"]) == ("Acme Inc.", "Tollgate")
    event = Event.objects.of(taxed).latest("pk")
    assert (event.type, event.data["number"]) == ("invoice.issued", paper.number)


def test_without_a_rate_there_is_no_tax(payer: Organization) -> None:
    paper = issue(payer, 100)
    assert (paper.taxes, paper.tax, paper.total) == ([], 0, 100)


def test_a_statement_has_neither_number_nor_tax(taxed: Organization) -> None:
    paper = issue(taxed, "100", "-40.123456789", kind="statement")
    assert (paper.number, paper.tax, paper.total) == ("", 0, Decimal("59.876543211"))
    assert paper.state.status == "issued"


def test_lines_that_nobody_can_pay_are_a_mistake_of_ours(payer: Organization) -> None:
    for amounts in (["0.001"], ["-1"]):
        with pytest.raises(ValueError, match="can't be paid"):
            issue(payer, *amounts)
    with pytest.raises(ValueError, match="corrects"):
        issue(payer, 1, kind="credit_note")
    assert not Invoice.objects.of(payer).exists()


def test_it_needs_a_transaction(payers: list[Organization]) -> None:
    with pytest.raises(TransactionManagementError):
        papers.issue(draft(payers[0], 1), now=DECEMBER)


def test_what_changes_later_changes_no_paper(taxed: Organization) -> None:
    paper = issue(taxed, 100)
    BillingAccount.objects.of(taxed).update(name="Another", vat_id="DE136695976", country="AT")
    TaxRate.objects.create(country="DE", valid_from=date(2026, 11, 30), percent=Decimal(50))
    kept = Invoice.objects.get(pk=paper.pk)
    assert (kept.buyer["name"], kept.buyer["vat_id"], kept.tax) == ("Acme Inc.", "", 19)
    assert credit(kept, "119.00").tax == 19


def test_the_papers_of_a_payer_are_in_order(payer: Organization) -> None:
    """Even if another server's clock is behind."""
    first = issue(payer, 1)
    second = issue(payer, 1, now=DECEMBER - timedelta(seconds=3))
    assert second.issued_at > first.issued_at
    assert second.ordinal == first.ordinal + 1  # type: ignore[operator]


@pytest.mark.parametrize(
    ("moment", "zone", "year"),
    [
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "UTC", 2026),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "Europe/Berlin", 2027),
        (datetime(2027, 1, 1, 0, 30, tzinfo=UTC), "America/New_York", 2026),
    ],
)
def test_the_year_of_a_number_is_the_sellers(
    payer: Organization, settings: Any, moment: datetime, zone: str, year: int
) -> None:
    settings.SELLER = {**settings.SELLER, "timezone": zone}
    assert issue(payer, 1, now=moment).number.startswith(f"INV-{year}-")


def test_kinds_and_sellers_have_their_own_series(payer: Organization, settings: Any) -> None:
    settings.SELLER = {**settings.SELLER, "code": "new"}
    invoice = issue(payer, 10)
    assert [invoice.number, credit(invoice, "5").number] == ["INV-2026-000001", "CN-2026-000001"]


def test_credit_notes_give_back_the_tax_to_the_cent(taxed: Organization) -> None:
    """Line by line, a third of 19 cents would come to 18 or to 21."""
    invoice = issue(taxed, "1.00")
    notes = [credit(invoice, amount) for amount in ("0.40", "0.40", "0.39")]
    assert [note.tax for note in notes] == [Decimal("0.06"), Decimal("0.07"), Decimal("0.06")]
    assert (sum(note.subtotal for note in notes), sum(note.total for note in notes)) == (1, Decimal("1.19"))
    assert papers.credited(invoice) == invoice.total


def test_a_credit_note_that_is_taken_back_counts_no_longer(taxed: Organization) -> None:
    invoice = issue(taxed, 100)
    note = credit(invoice, "119")
    with transaction.atomic():
        again = papers.take_back(note, "The refund failed", now=DECEMBER)
    assert (again.kind, again.total, again.tax, again.state.status) == ("invoice", 119, 19, "paid")
    assert papers.credited(invoice) == 0


ATTACKS = [
    "UPDATE billing_invoice SET total = 1, subtotal = 1, tax = 0",
    "UPDATE billing_invoice SET number = number",
    "UPDATE billing_invoiceline SET amount = 0",
    "DELETE FROM billing_invoiceline",
    "DELETE FROM billing_invoice",
    "TRUNCATE billing_invoiceline",
    "TRUNCATE billing_invoice CASCADE",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_paper_can_not_be_changed(taxed: Organization, attack: str) -> None:
    issue(taxed, 100)
    before = list(Invoice.objects.values()), list(Invoice.objects.values("all_lines__amount"))
    with pytest.raises(IntegrityError, match="append-only"):
        run(attack)
    assert (list(Invoice.objects.values()), list(Invoice.objects.values("all_lines__amount"))) == before


@pytest.fixture
def payers(committed: None) -> list[Organization]:
    organizations = [factories.organization("payer") for _ in range(6)]
    for organization in organizations:
        factories.billing_account(organization, country="DE")
    return organizations


def numbered(payers: list[Organization], code: str) -> list[Any]:
    """Six issue at once, and two of them roll back."""

    def attempt(payer: Organization, *, fails: bool) -> str:
        with transaction.atomic():
            number = issue(payer, 10).number
            if fails:
                raise RuntimeError
        return number

    race([partial(attempt, payer, fails=n < 2) for n, payer in enumerate(payers)])
    return sorted(Invoice.objects.filter(series__seller=code).values_list("ordinal", flat=True))


def test_a_race_leaves_no_gap_and_no_double(payers: list[Organization], settings: Any) -> None:
    settings.SELLER = {**settings.SELLER, "code": factories.unique("seller")}
    assert numbered(payers, settings.SELLER["code"]) == [1, 2, 3, 4]


def test_without_the_lock_of_the_series_the_race_fails(
    payers: list[Organization], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the next number is counted, and no row is locked."""

    seller = factories.unique("seller")
    settings.SELLER = {**settings.SELLER, "code": seller}
    series = InvoiceSeries.objects.create(seller=seller, kind="invoice", year=2026, last=0)
    barrier = Barrier(len(payers))

    def read(kind: str, year: int) -> numbers.Number:
        ordinal = Invoice.objects.filter(series=series).count() + 1
        barrier.wait(timeout=10)
        return numbers.Number(series.pk, ordinal, f"X-{ordinal}")

    monkeypatch.setattr(numbers, "take", read)
    ordinals = numbered(payers, seller)
    assert ordinals != [1, 2, 3, 4]
    InvoiceSeries.objects.filter(pk=series.pk).update(last=len(ordinals))  # other tests prove all books


def test_an_annex_stands_behind_the_lines(payer: Organization) -> None:
    paper = issue(payer, 1, annex=[line("0.999999999", "exact")])
    assert [(row.is_annex, row.amount) for row in paper.all_lines.order_by("is_annex", "position")] == [
        (False, 1),
        (True, Decimal("0.999999999")),
    ]
