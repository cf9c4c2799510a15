"""The architecture rules that can be checked automatically."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("accounts", "apikeys", "billing", "config", "usage")
# Where hand-written SQL is allowed: the ledger, metering, the gate, their checks, and code that inspects the server.
WITH_SQL = (
    "accounts/lib/",
    "accounts/authentication.py",
    "accounts/events/publication.py",
    "accounts/idempotency.py",
    "accounts/models/organizations.py",
    "accounts/security.py",
    "accounts/signing.py",
    "accounts/webhooks/",
    "apikeys/keys.py",
    "apikeys/rate_limits.py",
    "billing/finance/",
    "billing/invoicing/numbers.py",
    "billing/invoicing/postpaid.py",
    "billing/invoicing/tax.py",
    "billing/ledger/",
    "usage/gate/",
    "usage/metering/",
    "usage/storage/",
    "config/health.py",
    "accounts/management/commands/migrate.py",
    "config/local/prepare.py",
)
EMPTY_MODULE_NAMES = {"utils", "helpers", "common", "services", "selectors", "misc"}
VAGUE_NAMES = {"one", "asked", "said", "found", "about", "meant", "told"}


def modules() -> list[Path]:
    """Every Python file of the apps except migrations, which are frozen."""
    paths = (path for app in APPS for path in sorted((ROOT / app).rglob("*.py")))
    return [path.relative_to(ROOT) for path in paths if "migrations" not in path.parts]


def test_imports_run_one_way() -> None:
    contract = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert contract.returncode == 0, contract.stdout


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not [path for path in modules() if path.stem in EMPTY_MODULE_NAMES]


def test_only_some_rooms_hold_sql() -> None:
    sql = re.compile(r"cursor\.execute\(|sql\.rows\(|instances\.read\(")
    speaking = [str(path) for path in modules() if sql.search((ROOT / path).read_text())]
    assert [path for path in speaking if not path.startswith(WITH_SQL)] == []


def test_whole_numbers_that_callers_send_are_read_by_our_own_field() -> None:
    """DRF's field takes `１`, `1_000` and ` +1`, too. A field with a bound is one for input."""
    lenient = re.compile(r"serializers\.IntegerField\([^()]*(?:min|max)_value")
    assert [str(path) for path in modules() if lenient.search((ROOT / path).read_text())] == []


def names(code: str) -> Iterator[tuple[int, str]]:
    """The names of variables, arguments and attributes in the code, each with its line."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)) | ast.Attribute(attr=name):
                yield node.lineno, name


def test_no_variable_has_a_name_that_says_nothing() -> None:
    vague = [
        f"{path}:{line}: {name}"
        for path in modules()
        for line, name in names((ROOT / path).read_text())
        if name in VAGUE_NAMES
    ]
    assert vague == []


@pytest.mark.parametrize("code", ["one = 1", "def f(said): ...", "f(about=1)", "x.found", "[told for told in x]"])
def test_such_a_name_is_noticed_wherever_it_stands(code: str) -> None:
    assert VAGUE_NAMES & {name for _, name in names(code)}
