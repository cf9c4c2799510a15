"""Customers of another system: each line once, wrong lines named, nothing written by a rehearsal."""

import csv
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import people
from accounts.models import Event, Invitation, Organization, User
from apikeys.models import ApiKey, ApiKeySecret
from billing.ledger import posting
from billing.models import BillingAccount, GatewayCustomer, Grant, LedgerEntry, PaymentMethod
from tests import factories
from usage.models import ImportedRow, ImportedUsage
from usage.storage import reconciliation

SECRET = "ak_7TqPeGm2xWv8"
HASH = hashlib.sha256(SECRET.encode()).hexdigest()
NOW = datetime.now(UTC)

ACME = {"type": "organization", "id": "acme", "name": "Acme", "timezone": "Europe/Paris"}
LAB = {"type": "organization", "id": "lab", "name": "Lab", "parent": "acme"}
ANN = {"type": "person", "id": "p1", "organization": "acme", "email": "Ann@Acme.example", "role": "owner"}
PAYER: dict[str, Any] = {
    **{"type": "billing_account", "id": "a1", "organization": "acme", "name": "Acme SAS", "email": "pay@acme.example"},
    **{"country": "FR", "currency": "EUR", "line1": "1 rue de Rivoli", "postal_code": "75001", "city": "Paris"},
    **{"vat_id": "FR40303265045", "stripe_customer": "cus_1", "card_id": "pm_1", "card_brand": "Visa"},
    **{"card_last4": "4242", "card_exp_month": 12, "card_exp_year": 2034},
}
PAID = {"type": "balance", "id": "b1", "organization": "acme", "amount": "120.5"}
GIFT = {**PAID, "id": "b2", "amount": 20, "category": "promotional", "priority": 10, "expires_at": "2099-01-01"}
KEY: dict[str, Any] = {
    **{"type": "key", "id": "k1", "organization": "lab", "name": "Production", "sha256": HASH, "prefix": "ak_7Tq"},
    "permissions": ["messaging:send"],
}
USED = {
    **{"type": "usage", "id": "u1", "organization": "lab", "period": "2026-09", "meter": "sms", "key": "k1"},
    **{"requests": 1200, "failed": 3, "credits": "12"},
}
ALL: Sequence[dict[str, Any]] = [ACME, LAB, ANN, PAYER, PAID, GIFT, KEY, USED]


def written(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


@pytest.fixture
def run(tmp_path: Path, capsys: Any) -> Any:
    """Runs the command on these rows; returns its exit code and the lines that it printed."""

    def command(rows: Sequence[Any], *options: str) -> tuple[int, list[str]]:
        code = 0
        try:
            call_command("import_customers", str(written(tmp_path / "customers.jsonl", rows)), *options)
        except SystemExit as error:
            code = int(error.code or 0)
        return code, capsys.readouterr().out.splitlines()

    return command


def test_all_of_a_customer_comes(db: None, run: Any, gateway: Any) -> None:
    code, printed = run(ALL)

    assert (code, printed) == (0, ["8 imported, 0 imported before, 0 wrong."])
    acme, lab = Organization.objects.get(name="Acme"), Organization.objects.get(name="Lab")
    assert (acme.external_id, lab.external_id) == ("acme", "lab")
    assert (acme.timezone, lab.timezone, lab.parent) == ("Europe/Paris", "Europe/Paris", acme)
    invitation = Invitation.objects.get()
    assert (invitation.email, invitation.role, invitation.by_company) == ("ann@acme.example", "owner", True)
    assert not User.objects.filter(email="ann@acme.example").exists()
    account = BillingAccount.objects.get()
    assert (account.organization, account.currency, account.vat_id) == (acme, "EUR", "FR40303265045")
    assert GatewayCustomer.objects.get().customer == "cus_1"
    card = PaymentMethod.objects.get()
    assert (card.gateway, card.gateway_token, card.is_default, card.brand) == ("stripe", "pm_1", True, "visa")
    assert posting.available(acme.pk, NOW) == Decimal("140.5")
    assert set(LedgerEntry.objects.values_list("kind", flat=True)) == {"import"}
    assert set(Grant.objects.values_list("category", "priority")) == {("paid", 50), ("promotional", 10)}
    verdict = gateway.post("/v1/keys/verify", {"key": SECRET, "permission": "messaging:send", "meter": "sms"}).json()
    assert (verdict["code"], verdict["organization"], verdict["available"]) == ("VALID", lab.public_id, 140.5)
    assert ApiKeySecret.objects.get(key__organization=lab).hint == "ak_7Tq…"
    assert reconciliation.run() == []


def test_past_usage_is_in_the_reports_and_nowhere_else(db: None, run: Any, api: Any) -> None:
    run([*ALL, {**USED, "id": "u2", "period": "2026-09-30", "requests": 10, "credits": 1, "endpoint": "/send"}])
    assert ImportedUsage.objects.get(credits=12).bucket == datetime(2026, 8, 31, 22, tzinfo=UTC)
    acme, ann = Organization.objects.get(name="Acme"), factories.user("ann")
    factories.join(ann, acme, "owner")
    people.switch(ann, acme)
    client = api(ann)
    span = "from=2026-08-01&to=2026-11-01&timezone=Europe/Paris"
    months = client.get(f"/v1/usage?window=month&group_by=meter,key&{span}").json()["data"]
    assert [(point["requests"], point["failed"], point["credits"]) for point in months] == [(1210, 6, 13)]
    assert months[0]["key"] == ApiKey.objects.get().public_id
    summary = client.get("/auth/account/usage?from=2026-08-01&to=2026-11-01").json()
    assert (summary["total_requests"], summary["credits_consumed"]) == (1210, 13)
    assert summary["requests_by_endpoint"] == {"(none)": 1200, "/send": 10}
    days = client.get("/v1/usage?window=day&from=2026-09-30&to=2026-10-01&timezone=Europe/Paris").json()["data"]
    assert [point["requests"] for point in days] == [10]
    assert posting.available(acme.pk, NOW) == Decimal("140.5")
    assert reconciliation.run() == []


@pytest.mark.parametrize(
    ("corruption", "check"),
    [
        ("UPDATE usage_importedrow SET target = '9' WHERE type = 'balance' AND external_id = 'b1'", "balance"),
        ("DELETE FROM usage_importedrow WHERE type = 'balance'", "balance"),
        ("UPDATE usage_importedusage SET id = id + 1000", "usage"),
        ("DELETE FROM usage_importedusage", "usage"),
    ],
)
def test_the_proof_of_the_books_misses_nothing_of_it(db: None, run: Any, corruption: str, check: str) -> None:
    run(ALL)
    with connection.cursor() as cursor:
        cursor.execute(corruption)
    assert {finding.check.split()[2] for finding in reconciliation.run()} == {check}


def test_the_same_file_changes_nothing_the_second_time(db: None, run: Any) -> None:
    run(ALL)
    before = counts()
    assert run(ALL) == (0, ["0 imported, 8 imported before, 0 wrong."])
    assert counts() == before


def counts() -> dict[str, int]:
    models: list[Any] = [Organization, Invitation, BillingAccount, LedgerEntry, Grant, ApiKey, ImportedUsage, Event]
    return {model.__name__: model.objects.count() for model in [*models, ImportedRow, PaymentMethod]}


def test_a_rehearsal_says_of_each_line_what_would_become_of_it_and_writes_nothing(db: None, run: Any) -> None:
    before = counts()
    code, printed = run([ACME, {**PAID, "amount": 0}, PAID], "--dry-run")
    assert code == 1
    assert printed == [
        "line 1: new: organization acme",
        "line 2: wrong: amount: Must not be 0.",
        "line 3: new: balance b1",
        "2 would be imported, 0 imported before, 1 wrong.",
    ]
    assert counts() == before


def test_a_line_that_comes_with_other_contents_is_wrong(db: None, run: Any) -> None:
    run([ACME, PAID])
    code, printed = run([ACME, {**PAID, "amount": 121}])
    assert (code, printed[0][:15]) == (1, "line 2: wrong: ")
    assert printed[0].startswith("line 2: wrong: id: A row with this id was imported before")
    assert LedgerEntry.objects.get().amount == Decimal("120.5")


WRONG = {
    "type": ({"type": "user", "id": "1"}, "type"),
    "no type": ({"id": "1"}, "type"),
    "no id": ({"type": "organization", "name": "X"}, "id"),
    "unknown member": ({**ACME, "id": "x", "colour": "red"}, "colour"),
    "time zone": ({**ACME, "id": "x", "timezone": "Mars"}, "timezone"),
    "no parent": ({**LAB, "id": "x", "parent": "nobody"}, "parent"),
    "no organization": ({**PAID, "id": "x", "organization": "nobody"}, "organization"),
    "email": ({**ANN, "id": "x", "email": "ann"}, "email"),
    "invited already": ({**ANN, "id": "x"}, "email"),
    "role": ({**ANN, "id": "x", "role": "king"}, "role"),
    "account exists": ({**PAYER, "id": "x"}, "organization"),
    "account of a child": ({**PAYER, "id": "x", "organization": "lab"}, "organization"),
    "balance of a child": ({**PAID, "id": "x", "organization": "lab"}, "organization"),
    "past": ({**PAID, "id": "x", "expires_at": "2020-01-01"}, "expires_at"),
    "debt with an expiry": ({**GIFT, "id": "x", "amount": -1}, "amount"),
    "ten decimals": ({**PAID, "id": "x", "amount": "0.0000000001"}, "amount"),
    "hash": ({**KEY, "id": "x", "sha256": "12"}, "sha256"),
    "hash of nothing": ({**KEY, "id": "x", "sha256": hashlib.sha256(b"").hexdigest()}, "sha256"),
    "same secret": ({**KEY, "id": "x"}, "sha256"),
    "permission": ({**KEY, "id": "x", "permissions": ["send"]}, "permissions"),
    "scope of ours": ({**KEY, "id": "x", "permissions": ["keys:read"]}, "permissions"),
    "half a limit": ({**KEY, "id": "x", "rate_limit": 5}, "rate_limit_window_seconds"),
    "meter": ({**USED, "id": "x", "meter": "smoke"}, "meter"),
    "key": ({**USED, "id": "x", "key": "k9"}, "key"),
    "future": ({**USED, "id": "x", "period": "2099-01"}, "period"),
    "period": ({**USED, "id": "x", "period": "September"}, "period"),
    "first year": ({**USED, "id": "x", "period": "0001-01"}, "period"),
    "balance id": ({**PAID, "id": "x" * 94}, "id"),
    "currency": ({**PAYER, "id": "x", "currency": "EUE"}, "currency"),
    "card id": ({**PAYER, "id": "x", "card_id": f"pm_{'x' * 60}"}, "card_id"),
    "more failed": ({**USED, "id": "x", "failed": 1201}, "failed"),
    "no JSON": ("{", ""),
    "no object": ("[1]", ""),
    "not UTF-8": ('{"type": "\udcff"}', ""),
}


def test_every_wrong_line_names_its_number_and_member_and_changes_nothing(db: None, run: Any, tmp_path: Path) -> None:
    run(ALL)
    before = counts()
    text = "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row, _ in WRONG.values())
    (tmp_path / "wrong.jsonl").write_bytes(text.encode("utf-8", "surrogateescape"))
    printed: list[str] = []
    with pytest.raises(SystemExit):
        call_command("import_customers", str(tmp_path / "wrong.jsonl"), stdout=_Lines(printed))
    for number, (_, member) in enumerate(WRONG.values(), start=1):
        start = f"line {number}: wrong: {member}: " if member else f"line {number}: wrong: The line is not"
        assert any(line.startswith(start) or line.startswith(f"line {number}: wrong: {member}.") for line in printed), (
            start,
            [line for line in printed if line.startswith(f"line {number}:")],
        )
    assert counts() == before


class _Lines:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def write(self, text: str) -> None:
        self.lines += text.splitlines()


def test_a_card_of_another_customer_is_refused(db: None, run: Any) -> None:
    other = {**ACME, "id": "other", "name": "Other"}
    taken = {**PAYER, "id": "a2", "organization": "other", "card_id": "pm_2"}
    code, printed = run([*ALL, other, taken, {**taken, "stripe_customer": "cus_2", "card_id": "pm_1"}])
    assert code == 1
    assert printed[0].startswith("line 10: wrong: stripe_customer: ")
    assert printed[1].startswith("line 11: wrong: card_id: ")
    assert BillingAccount.objects.count() == 1


def test_csv_is_the_same_in_columns(db: None, tmp_path: Path, capsys: Any) -> None:
    names = sorted({name for row in ALL for name in row})
    path = tmp_path / "customers.CSV"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows({**row, **({"permissions": "messaging:send"} if "permissions" in row else {})} for row in ALL)
    call_command("import_customers", str(path))
    assert capsys.readouterr().out == "8 imported, 0 imported before, 0 wrong.\n"
    assert ApiKey.objects.get().permissions == ["messaging:send"]
    assert ImportedUsage.objects.get().quantity == 1200


@pytest.mark.parametrize(
    ("content", "printed", "problem"),
    [
        (
            b'type,id,name\norganization,a,A\norganization,b,"torn',
            "line 3: wrong: From here on the file is not CSV",
            "",
        ),
        (b"type;id;name\norganization;a;A\n", "", "no column type"),
        ("type,id,name\norganization,a,A\n".encode("utf-16"), "", "no column type"),
        (b"type,id,type\norganization,a,person\n", "", "a column twice"),
    ],
)
def test_csv_that_can_not_be_read_says_from_where_on(
    db: None, tmp_path: Path, capsys: Any, content: bytes, printed: str, problem: str
) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes(content)
    with pytest.raises((CommandError, SystemExit), match=problem or None):
        call_command("import_customers", str(path))
    assert capsys.readouterr().out.startswith(printed)
    assert Organization.objects.count() == (1 if printed else 0)


def test_a_file_that_is_not_there_is_named(db: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nothing\.csv can't be read"):
        call_command("import_customers", str(tmp_path / "nothing.csv"))
