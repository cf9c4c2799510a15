"""Only `billing.ledger.balances` writes an account's balance, reserved and seq, and nobody predicts a seq."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WRITER = ROOT / "billing" / "ledger" / "balances.py"
SOURCES = [
    path
    for app in ("accounts", "apikeys", "billing", "config", "usage")
    for path in (ROOT / app).rglob("*.py")
    if "migrations" not in path.parts
]

# An assignment in SQL after the account's table, or by Django's ORM.
SQL = re.compile(r"UPDATE billing_ledgeraccount[^;]*?\bSET\b[^;]*?(?<![.\w])(balance|reserved|seq) =(?!=)", re.DOTALL)
ORM = re.compile(r"\.(balance|reserved|seq) [-+]?= |update\([^)]*\b(balance|reserved|seq)=|entry_seq.*\bseq \+ 1\b")


def writes(path: Path) -> bool:
    """Statements and docstrings stand in triple quotes; the rest is Python."""
    parts = path.read_text().split('"""')
    return any(SQL.search(part) for part in parts[1::2]) or any(ORM.search(part) for part in parts[::2])


def test_one_module_writes_them() -> None:
    assert [path for path in SOURCES if writes(path)] == [WRITER]


@pytest.mark.parametrize(
    "line",
    [
        '"""UPDATE billing_ledgeraccount a SET updated_at = now(), reserved = a.reserved - 1"""',
        '"""UPDATE billing_ledgeraccount\n   SET balance = 0"""',
        "account.reserved += amount",
        "LedgerAccount.objects.filter(pk=pk).update(seq=7)",
        "entry_seq = account.seq + 1",
    ],
)
def test_it_would_be_seen_elsewhere(tmp_path: Path, line: str) -> None:
    """The control of the test above."""
    module = tmp_path / "module.py"
    module.write_text(line)
    assert writes(module)
