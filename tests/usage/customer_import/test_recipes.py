"""The recipes of docs/moving-in.md, word for word, on small exports of each system."""

import contextlib
import io
import json
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.models import Invitation, Organization
from apikeys.models import ApiKey
from billing.ledger import posting
from billing.models import BillingAccount, GatewayCustomer, Grant, PaymentMethod
from usage.models import ImportedUsage
from usage.storage import reconciliation

SAMPLES = Path(__file__).with_name("samples")
DOCS = (Path(__file__).parents[3] / "docs/moving-in.md").read_text()


def blocks(section: str, language: str) -> list[str]:
    text = DOCS.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def imported(db: None, tmp_path: Path, monkeypatch: Any, capsys: Any) -> Any:
    """Runs the recipe of a section on these files, and imports what it makes: first a rehearsal, then twice."""

    def run(section: str, *files: Path) -> list[dict[str, Any]]:
        (recipe,) = blocks(section, "python")
        monkeypatch.setattr(sys, "argv", ["recipe.py", *map(str, files)])
        made = io.StringIO()
        with contextlib.redirect_stdout(made):
            exec(compile(recipe, section, "exec"), {"__name__": "__main__"})
        path = tmp_path / "customers.jsonl"
        path.write_text(made.getvalue())
        rows = [json.loads(line) for line in made.getvalue().splitlines()]
        for options, expected in (
            (["--dry-run"], f"{len(rows)} would be imported, 0 imported before, 0 wrong."),
            ([], f"{len(rows)} imported, 0 imported before, 0 wrong."),
            ([], f"0 imported, {len(rows)} imported before, 0 wrong."),
        ):
            call_command("import_customers", str(path), *options)
            assert capsys.readouterr().out.splitlines()[-1] == expected
        assert reconciliation.run() == []
        return rows

    return run


def available(name: str) -> Decimal:
    return posting.available(Organization.objects.get(name=name).pk, timezone.now())


def test_the_lines_of_the_documentation(db: None, tmp_path: Path, capsys: Any) -> None:
    (lines,) = blocks("The lines", "json")
    (tmp_path / "customers.jsonl").write_text(lines)
    call_command("import_customers", str(tmp_path / "customers.jsonl"))
    assert capsys.readouterr().out == "8 imported, 0 imported before, 0 wrong.\n"


def test_stripe_billing(imported: Any) -> None:
    imported("From Stripe Billing", SAMPLES / "stripe_customers.json", SAMPLES / "stripe_grants.json")
    assert available("Jenny Rosen") == Decimal("22.5")
    assert set(Grant.objects.values_list("category", "amount")) == {("paid", Decimal("12.5")), ("promotional", 10)}
    card = PaymentMethod.objects.get()
    assert (card.gateway_token, card.fingerprint, card.last4) == (
        "pm_1MqLiJLkdIwHu7ixUEgbFdYF",
        "mToisGZ01V71BCos",
        "4242",
    )
    assert set(GatewayCustomer.objects.values_list("customer", flat=True)) == {
        "cus_NffrFeUfNV2Hib",
        "cus_9s6XKzkNRiz8i3",
    }
    assert set(BillingAccount.objects.values_list("currency", "city")) == {("USD", "San Francisco"), ("", "")}


def test_lago(imported: Any) -> None:
    imported("From Lago", SAMPLES / "lago_customers.json", SAMPLES / "lago_wallets.json")
    assert available("Gavin Belson") == 42
    assert Grant.objects.get().priority == 40
    account = BillingAccount.objects.get()
    assert (account.name, account.currency, account.vat_id) == ("Hooli SAS", "EUR", "FR40303265045")
    assert Organization.objects.get().timezone == "Europe/Paris"
    assert GatewayCustomer.objects.get().customer == "cus_12345"


def test_openmeter(imported: Any) -> None:
    imported("From OpenMeter", SAMPLES / "openmeter_customers.json", SAMPLES / "requests.json")
    usage = ImportedUsage.objects.order_by("bucket", "requests").values_list("bucket__month", "requests", "quantity")
    assert [*map(tuple, usage)] == [(8, 1200, 1200), (9, 4, 4), (9, 30, 30)]
    assert BillingAccount.objects.get().postal_code == "10001"


def test_unkey(imported: Any, gateway: Any) -> None:
    imported("From Unkey", SAMPLES / "keys.tsv")
    verdict = gateway.post("/v1/keys/verify", {"key": "prod_3ZkQ8vmTpLw9"}).json()
    assert (verdict["code"], verdict["expires_at"]) == ("VALID", "2099-01-01T00:00:00Z")
    assert set(ApiKey.objects.exclude(organization=None).values_list("name", "environment", "rate_limit")) == {
        ("Billing", "live", 10),
        ("key_3dHLcNySzJ1iDyp2Jekz9r", "test", None),
    }


def test_a_plain_table(imported: Any, tmp_path: Path, gateway: Any) -> None:
    (tmp_path / "table.csv").write_text(blocks("From a plain table", "text")[0])
    imported("From a plain table", tmp_path / "table.csv")
    assert (available("Müller GmbH"), available("Doe Ltd")) == (Decimal("12.5"), Decimal(-3))
    assert Invitation.objects.filter(role="owner").count() == 2
