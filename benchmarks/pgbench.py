"""Runs Tollgate's own statements by pgbench: how fast PostgreSQL is without any Python in the way."""

import re
import subprocess
from collections.abc import Mapping

from benchmarks import stage
from benchmarks.cast import PAYERS
from benchmarks.processes import program

ESCAPED_COLON = r"\003A"

# The parameters of a posting in pgbench's syntax. The server makes the id, which grows with time.
VALUES = {
    "id": "uuidv7()",
    "account": "('00000000-0000-7000-8000-' || lpad((:payer)::text, 12, '0'))::uuid",
    "kind": "'usage'",
    "amount": "-0.001::numeric",
    "up_to_date": "false",
    "guarded": "true",
    "description": "''",
    "reference": "''",
    "metadata": "'{}'::jsonb",
    "idempotency_key": "NULL::varchar",
    "actor": "''",
    "reverses_seq": "NULL::bigint",
    "now": "now()",
}


def script(statement: str, values: Mapping[str, str] = VALUES) -> str:
    """The posting statement with a random payer."""
    return f"\\set payer random(1, {PAYERS})\n{one_line(statement, values)}"


def one_line(statement: str, values: Mapping[str, str]) -> str:
    """The statement with these values for its parameters.

    pgbench would take the `:read` of `'keys:read'` for a variable, so colons in literals are written as escapes.
    """
    if unknown := set(re.findall(r"%\((\w+)\)s", statement)) - set(values):
        raise ValueError(f"the statement has parameters without a value here: {sorted(unknown)}")
    sql = re.sub(r"%\((\w+)\)s", lambda match: values[match[1]], statement).replace("%%", "%")
    sql = re.sub(r"'[^']*'", lambda literal: _without_colon(literal[0]), sql)
    return " ".join(line.partition("--")[0].strip() for line in sql.strip().splitlines()) + ";\n"


def _without_colon(literal: str) -> str:
    return f"U&{literal.replace(':', ESCAPED_COLON)}" if ":" in literal else literal


def run(text: str, *, database: str, clients: int, seconds: float, variables: Mapping[str, str] | None = None) -> float:
    """Transactions a second. Each client prepares the statement once. `variables` are text; the script sets numbers."""
    path = stage.STATE / "pgbench.sql"
    path.write_text(text)
    defined = [f"--define={name}={value}" for name, value in (variables or {}).items()]
    command = [program("pgbench"), "--no-vacuum", "--protocol=prepared", f"--client={clients}", "--jobs=2", *defined]
    command += [f"--time={max(round(seconds), 1)}", f"--file={path}", f"--host={stage.socket_folder()}", "--port=5432"]
    command += ["--username=tollgate", database]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)  # noqa: S603
    match = re.search(r"tps = ([0-9.]+)", done.stdout)
    if done.returncode or not match or "number of failed transactions: 0 " not in done.stdout:
        raise RuntimeError(f"pgbench: {done.stdout[-500:]}{done.stderr[-500:]}")
    return float(match[1])
