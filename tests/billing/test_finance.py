"""The finance package: its tables add up to the ledger, which other means sum up, and its seal is proved offline."""

import csv
import hashlib
import io
import json
import os
import random
import tracemalloc
import zipfile
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db.models import Sum
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from time_machine import travel
from tollgate_client.__main__ import main as client

from accounts import signing
from accounts.lib import months, sql
from accounts.models import Event, Organization
from billing.finance import deferred, package
from billing.finance import tables as month_tables
from billing.ledger import posting
from billing.ledger.lots import Lot
from billing.models import BillingAccount, FinancePackage, FinancePackagePart, Grant, Invoice, LedgerEntry
from tests import factories
from tests.billing.admin.desk import staff
from tests.billing.invoicing.drafts import credit, issue
from usage.storage import closing
from usage.tasks import make_finance_package

Kind = LedgerEntry.Kind
MONTH = months.month_of(timezone.now())
OVER = months.bounds(MONTH)[1] + timedelta(hours=2)
Rows = list[dict[str, str]]

# Entries of one account, as many as there are to be.
MANY = """
WITH account AS (
    INSERT INTO billing_ledgeraccount (organization_id, balance, reserved, credit_limit, seq, updated_at)
    VALUES (%(account)s, %(number)s, 0, 0, %(number)s, %(now)s) RETURNING organization_id)
INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                 created_at)
SELECT gen_random_uuid(), organization_id, n, 'purchase', 1, n, 'Many', '', '{}', %(now)s
  FROM account, generate_series(1, %(number)s::bigint) n
"""


@pytest.fixture
def payers(organization: Organization) -> list[Organization]:
    """Three payers: one with both kinds of credits, one with a debt, and one without a currency."""
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


def made(month: date = MONTH, now: datetime = OVER) -> bytes:
    return b"".join(package.download(package.make(month, now), now))


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
    month = tables(made())
    sums = {payer.public_id: LedgerEntry.objects.of(payer).aggregate(sum=Sum("amount"))["sum"] for payer in payers}
    balances = {row["organization"]: row for row in month["balances.csv"]}
    assert {name: Decimal(row["closing"]) for name, row in balances.items()} == sums
    assert total(month["entries.csv"], "amount") == sum(sums.values())
    for payer in payers:
        row = balances[payer.public_id]
        assert Decimal(row["deferred_revenue"]) == left(payer, "paid", timezone.now())
        assert Decimal(row["promotional"]) == left(payer, "promotional", timezone.now())
        moved = sum(Decimal(row[kind]) for kind in Kind.values)
        assert Decimal(row["opening"]) + moved == Decimal(row["closing"])


def test_the_journal_is_the_change_of_the_balances_to_the_cent(payers: list[Organization]) -> None:
    month = tables(made())
    changes: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in month["journal.csv"]:
        changes[line["credit"]] += Decimal(line["amount"])
        changes[line["debit"]] -= Decimal(line["amount"])
    euro, other = (
        total([row for row in month["balances.csv"] if row["currency"] == currency], "closing")
        for currency in ("EUR", "")
    )
    assert changes["customer credits"] == round(euro, 2) + round(other, 2)
    assert sum(changes.values()) == 0
    papers = Invoice.objects.exclude(kind="statement")
    assert total(month["taxes.csv"], "tax") == changes["tax"]
    assert total(month["invoices.csv"], "total") == sum(paper.total for paper in papers)


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


def test_batches_and_parts_of_any_size_give_the_same(
    payers: list[Organization], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tables(made())
    for module, names in ((month_tables, ("PAYERS_BATCH", "ENTRIES_BATCH", "PAPERS_BATCH")), (deferred, ("BATCH",))):
        for name in names:
            monkeypatch.setattr(module, name, 1)
    monkeypatch.setattr(FinancePackagePart, "PART", 100)
    assert tables(made()) == whole
    assert FinancePackagePart.objects.count() > 5
    assert FinancePackage.objects.count() == 1


def test_more_entries_need_no_more_memory(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """FINANCE_ENTRIES=200000 shows it better."""
    monkeypatch.setattr(month_tables, "ENTRIES_BATCH", 100)
    monkeypatch.setattr(FinancePackagePart, "PART", 1000)
    few, many = 500, int(os.environ.get("FINANCE_ENTRIES", "5000"))
    peaks = []
    for number in (few, few, many):  # the first warms up
        account = Organization.objects.create_root(name="Many").pk
        sql.rows(MANY, {"account": account, "number": number, "now": timezone.now()})
        tracemalloc.start()
        for _ in package.download(package.make(MONTH, OVER), OVER):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert len(tables(made())["entries.csv"]) == few + few + many
    assert peaks[2] < 1.5 * peaks[1]


def test_it_is_made_by_itself_once_all_months_are_closed(payers: list[Organization]) -> None:
    with travel(OVER):
        assert not make_finance_package()  # the month is not over everywhere
    with travel(OVER + timedelta(hours=30)):
        assert not make_finance_package()  # nobody closed it
        closing.close_ended([payer.pk for payer in payers], timezone.now())
        assert make_finance_package()
        assert not make_finance_package()
    package_made = FinancePackage.objects.get()
    event = Event.objects.get(type="finance_package.made")
    assert (package_made.month, event.organization, event.data["month"]) == (MONTH, None, f"{MONTH:%Y-%m}")
    assert event.data["sha256"] == hashlib.sha256(b"".join(package.download(package_made, OVER))).hexdigest()


def test_the_companys_backend_downloads_it(payers: list[Organization], gateway: Any, api: Any, alice: Any) -> None:
    assert gateway.get("/v1/finance-packages").status_code == 403  # it stands where customers call
    gateway = api(factories.backend_key())
    content, path = made(), f"/v1/finance-packages/{MONTH:%Y-%m}"
    listed = gateway.get("/v1/finance-packages").json()["results"]
    assert listed == [gateway.get(path).json()]
    assert (listed[0]["size"], listed[0]["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    response = gateway.get(f"{path}/download")
    assert b"".join(response.streaming_content) == content
    assert response["Content-Length"] == str(len(content))
    assert Event.objects.filter(type="finance_package.downloaded", actor__kind="platform_key").count() == 1
    assert gateway.get("/v1/finance-packages/1999-12/download").status_code == 404
    assert gateway.get("/v1/finance-packages/1999-13").status_code == 404
    assert api(alice).get(f"{path}/download").status_code == 403


def test_operators_who_may_export_download_it_in_the_admin(payers: list[Organization]) -> None:
    content, kept = made(), FinancePackage.objects.get()
    path = reverse("admin:finance-package-download", args=[kept.pk])
    looker, exporter = Client(), Client()
    looker.force_login(staff("view_financepackage"))
    exporter.force_login(staff("view_financepackage", "export_rows"))

    assert path in exporter.get(reverse("admin:billing_financepackage_changelist")).content.decode()
    assert looker.get(path).status_code == 403
    response = exporter.get(path)

    assert b"".join(response.streaming_content) == content  # type: ignore[attr-defined]
    event = Event.objects.get(type="finance_package.downloaded", actor__kind="operator")
    assert event.data == {"month": f"{MONTH:%Y-%m}", "sha256": hashlib.sha256(content).hexdigest()}
    assert LogEntry.objects.filter(change_message__contains="downloaded").count() == 1
