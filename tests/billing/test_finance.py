"""The finance package: its tables add up to the ledger, which other means sum up, and its seal is proved offline."""

import csv
import io
import json
import random
import zipfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum
from django.utils import timezone
from time_machine import travel
from tollgate_client.__main__ import main as client

from accounts import signing
from accounts.lib import months
from accounts.models import Organization
from billing.finance import deferred, package
from billing.ledger import posting
from billing.ledger.lots import Lot
from billing.models import BillingAccount, Grant, Invoice, LedgerEntry
from tests import factories
from tests.billing.invoicing.drafts import credit, issue

Kind = LedgerEntry.Kind
MONTH = months.month_of(timezone.now())
OVER = months.bounds(MONTH)[1] + timedelta(hours=2)
Rows = list[dict[str, str]]


@pytest.fixture
def payers(organization: Organization) -> list[Organization]:
    """Two with a currency, of which one has credits of both kinds and the other a debt, and one without."""
    other, third = (Organization.objects.create_root(name=name) for name in ("Other", "Third"))
    for payer, country in ((organization, "DE"), (other, "DE")):
        factories.billing_account(payer, country=country)
    BillingAccount.objects.update(currency="EUR")
    for payer, kind, amount in (
        (organization, Kind.PURCHASE, "100"),
        (organization, Kind.GRANT, "10"),
        (organization, Kind.USAGE, "-17.123456789"),
        (organization, Kind.REFUND, "-5"),
        (other, Kind.USAGE, "-0.004"),
        (third, Kind.GRANT, "1"),
        (third, Kind.USAGE, "-0.25"),
    ):
        posting.post(payer.pk, kind=kind, amount=Decimal(amount), now=timezone.now())
    invoice = issue(organization, 50, now=timezone.now())
    credit(invoice, "10", now=timezone.now())
    return [organization, other, third]


def tables(content: bytes) -> dict[str, Rows]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {
            name: list(csv.DictReader(io.StringIO(archive.read(name).decode())))
            for name in archive.namelist()
            if name.endswith(".csv")
        }


def total(rows: Rows, column: str) -> Decimal:
    return sum((Decimal(row[column]) for row in rows), Decimal(0))


def left(payer: Organization, category: str, now: datetime) -> Decimal:
    """What the lots themselves say now."""
    posting.bring_up_to_date(payer.pk, now)
    lots = Grant.objects.filter(account=payer.pk, category=category)
    return lots.aggregate(left=Sum("remaining"))["left"] or Decimal(0)


def test_the_tables_add_up_to_the_ledger(payers: list[Organization]) -> None:
    made = tables(package.make(MONTH, now=OVER))
    sums = {payer.public_id: LedgerEntry.objects.of(payer).aggregate(sum=Sum("amount"))["sum"] for payer in payers}
    balances = {row["organization"]: row for row in made["balances.csv"]}
    assert {name: Decimal(row["closing"]) for name, row in balances.items()} == sums
    assert total(made["entries.csv"], "amount") == sum(sums.values())
    for payer in payers:
        row = balances[payer.public_id]
        assert Decimal(row["deferred_revenue"]) == left(payer, "paid", timezone.now())
        assert Decimal(row["promotional"]) == left(payer, "promotional", timezone.now())
        moved = sum(Decimal(row[kind]) for kind in Kind.values)
        assert Decimal(row["opening"]) + moved == Decimal(row["closing"])


def test_the_journal_is_the_change_of_the_balances_to_the_cent(payers: list[Organization]) -> None:
    made = tables(package.make(MONTH, now=OVER))
    changes: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in made["journal.csv"]:
        changes[line["credit"]] += Decimal(line["amount"])
        changes[line["debit"]] -= Decimal(line["amount"])
    euro, other = (
        total([row for row in made["balances.csv"] if row["currency"] == currency], "closing")
        for currency in ("EUR", "")
    )
    assert changes["customer credits"] == round(euro, 2) + round(other, 2)
    assert sum(changes.values()) == 0
    papers = Invoice.objects.exclude(kind="statement")
    assert total(made["taxes.csv"], "tax") == changes["tax"]
    assert total(made["invoices.csv"], "total") == sum(paper.total for paper in papers)


def test_what_was_deferred_at_any_moment_can_be_told_later(organization: Organization) -> None:
    """A year of purchases, gifts that expire, usage and refunds at random; the lots say after each what is left."""
    chance, now = random.Random(27), datetime(2026, 1, 1, tzinfo=UTC)
    Organization.objects.filter(pk=organization.pk).update(created_at=now)
    bought: list[tuple[str, int]] = []
    expected = {}
    for _ in range(60):
        now += timedelta(days=chance.randint(1, 10))
        amount = Decimal(chance.randint(1, 5000)).scaleb(-2)
        step = chance.choice(("purchase", "grant", "usage", "usage", "refund", "adjustment"))
        if step == "purchase":
            key = uuid4().hex
            made = posting.post(
                organization.pk,
                kind=Kind.PURCHASE,
                amount=4 * amount,
                now=now,
                reference=f"pay_{key}",
                idempotency_key=f"payment:{key}",
            )
            bought.append((key, made.seq))
        elif step == "grant":
            lot = Lot(Grant.Category.PROMOTIONAL, chance.randint(40, 60), now + timedelta(days=chance.randint(5, 60)))
            posting.post(organization.pk, kind=Kind.GRANT, amount=amount, now=now, lot=lot)
        elif step == "refund" and bought:
            key, seq = bought.pop()
            posting.post(
                organization.pk, kind=Kind.REFUND, amount=-amount, now=now, reference=f"pay_{key}", own_lot=seq
            )
        else:
            kind = Kind.USAGE if step == "usage" else Kind.ADJUSTMENT
            posting.post(organization.pk, kind=kind, amount=-amount, now=now)
        expected[now + timedelta(seconds=1)] = left(organization, "paid", now)
    assert {moment: deferred.paid(organization.pk, moment) for moment in expected} == expected
    assert len(set(expected.values())) > 10


def test_a_package_is_proved_offline(
    payers: list[Organization], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys, file = tmp_path / "keys.json", tmp_path / "finance.zip"
    with travel(OVER):
        call_command("finance_package", f"{MONTH:%Y-%m}", str(file))
    keys.write_text(json.dumps(signing.seal_keys()))
    assert client(["verify-finance", str(file), "--keys", str(keys)]) == 0
    assert f"Proved: 5 tables of {MONTH:%Y-%m}" in capsys.readouterr().out
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(forged, "w") as target:
        for name in archive.namelist():
            content = archive.read(name)
            target.writestr(name, content.replace(b"100", b"900") if name == "balances.csv" else content)
    assert client(["verify-finance", str(forged), "--keys", str(keys)]) == 1
    assert "balances.csv isn't what was signed" in capsys.readouterr().err


def test_a_month_that_is_not_over_has_no_package(db: None) -> None:
    with pytest.raises(CommandError, match="isn't over"):
        call_command("finance_package", f"{MONTH:%Y-%m}")
    with pytest.raises(CommandError, match="2026-10"):
        call_command("finance_package", "october")
