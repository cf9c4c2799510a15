"""The house rules that a machine can check."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APPS = ("accounts", "apikeys", "billing", "config", "usage")


def test_imports_run_one_way() -> None:
    contract = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert contract.returncode == 0, contract.stdout


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "helpers", "common", "services", "selectors", "misc"}
    assert not [path for app in APPS for path in (ROOT / app).rglob("*.py") if path.stem in empty]


def test_only_these_modules_hold_sql() -> None:
    """Hand-written SQL stands where the ledger, the meter and their proof are, and where partitions are made."""
    money = {"balances", "posting", "expiry", "lots", "holds", "leases", "budgets", "alerts", "billing_zone"}
    meter = {"recording", "lookup", "rating", "deduplication", "query", "caller", "voids", "rate_limits", "insert"}
    storage = {"partitions", "retention", "rebuild", "payer_months", "privileges"}
    ours = {"sql", "reconciliation", "idempotency", "health", "prepare", "snapshot", "publication"}
    speaking = {
        path.stem
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        if re.search(r"cursor\.execute\(|sql\.rows\(", path.read_text()) and "migrations" not in path.parts
    }
    assert speaking <= money | meter | storage | ours
