"""Distributing an installation that has data over the machines of a Citus cluster, by payer.

The remaining steps are read from the database's catalogs, and each step is a transaction. So if a run is killed, the
next one does the remaining steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connections, transaction
from psycopg.sql import Identifier, Literal

from accounts.lib import sql
from usage.storage import privileges

# Every machine has all rows of these. All other tables stay where they are, on the coordinator.
REFERENCE = ("accounts_organization", "billing_meter")

ACCOUNTS = "billing_ledgeraccount"  # by organization_id, which is the payer
BY_PAYER = (  # by account_id
    *("billing_ledgerentry", "billing_hold", "billing_grant", "billing_spending", "billing_move", "billing_ledgerseal"),
    *("usage_volume", "usage_usagerollup", "usage_endpointrollup", "usage_eventvoid", "usage_monthclose"),
    *("usage_monthlyusage", "usage_event"),
)
HOT = (ACCOUNTS, *BY_PAYER)

# The foreign keys of hot tables, which Citus takes only if they are not deferrable. That of a close to its paper can't
# be: papers stay on the coordinator.
FOREIGN_KEYS = (
    *((table, "account_id", ACCOUNTS, "organization_id") for table in BY_PAYER[:3]),
    ("billing_ledgerseal", "account_id", ACCOUNTS, "organization_id"),
    ("usage_monthclose", "account_id", ACCOUNTS, "organization_id"),
    (ACCOUNTS, "organization_id, organization_id", "accounts_organization", "id, root_id"),
    ("billing_hold", "organization_id", "accounts_organization", "id"),
    ("usage_eventvoid", "organization_id", "accounts_organization", "id"),
)

# That of an account keeps its name, which says what it refuses.
ON_ROOT = "ledger_account_on_root"

# One connection to each machine, since foreign keys lead to reference tables. Triggers on distributed tables are unsafe
# in general; ours only refuse changes, so they work on each machine.
SETTINGS = {"citus.multi_shard_modify_mode": "sequential", "citus.enable_unsafe_triggers": "on"}

EXTENSION = "SELECT count(*) FROM pg_extension WHERE extname = 'citus'"
MACHINES = "SELECT count(*) FROM pg_dist_node WHERE noderole = 'primary' AND isactive AND shouldhaveshards"
UNSET = """
SELECT name FROM unnest(%s::text[], %s::text[]) AS wanted(name, value)
 WHERE NOT EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
                    WHERE d.datname = current_database() AND s.setrole = 0 AND name || '=' || value = ANY(s.setconfig))
"""
BOUND = """
SELECT c.conrelid::regclass::text, c.conname FROM pg_constraint c
 WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = ANY(%s::regclass[])
   AND NOT EXISTS (SELECT FROM pg_dist_partition p WHERE p.logicalrelid = c.conrelid) ORDER BY 1, 2
"""
MISSING = """
SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS hot(name, place)
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition p WHERE p.logicalrelid = name::regclass AND NOT
                   (p.partmethod = 'n' AND p.repmodel = 's')) ORDER BY place
"""
TRIGGERS = """
SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
 WHERE tgrelid IN (SELECT %s::regclass UNION SELECT relid FROM pg_partition_tree(%s))
   AND NOT tgisinternal AND tgparentid = 0 ORDER BY 1, 2
"""
LEAVES = "SELECT relid::regclass::text FROM pg_partition_tree(%s) WHERE isleaf"
HAS_CONSTRAINT = "SELECT count(*) FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s"
# Citus gives the columns that count by themselves new counters, which begin at 1.
COUNTED = """
SELECT c.oid::regclass::text, a.attname, pg_get_serial_sequence(c.oid::regclass::text, a.attname)
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_dist_partition p ON p.logicalrelid = c.oid
 WHERE a.attidentity <> '' AND NOT a.attisdropped AND NOT c.relispartition ORDER BY 1
"""
IS_BEHIND = """
SELECT count(*) FROM {sequence} counter
 WHERE (SELECT coalesce(max({column}), 0) FROM {table}) >= counter.last_value + counter.is_called::int
"""
COUNT_ON = "SELECT setval({name}, (SELECT max({column}) FROM {table}))"

IS_BEGUN = "SELECT count(*) FROM pg_dist_partition WHERE logicalrelid = ANY(%s::regclass[])"

SET = "ALTER DATABASE {database} SET {name} TO {value}"
DROP = "ALTER TABLE {table} DROP CONSTRAINT {name}"
REFER = "SELECT create_reference_table({table})"
DISTRIBUTE = "SELECT create_distributed_table({table}, {column}, colocate_with => {beside})"
EMPTY = "SELECT truncate_local_data_after_distributing_table({table})"
DROP_TRIGGER = "DROP TRIGGER {name} ON {table}"
ADD = "ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {target} ({referenced})"


class NotReady(Exception):
    """The database can't be distributed. Nothing was changed."""


@dataclass(frozen=True)
class Step:
    """Statements of one transaction, and what they do as a sentence."""

    description: str
    statements: list[str]


def require_cluster() -> None:
    """`NotReady` unless the database is the coordinator of a Citus cluster with machines for the shards."""
    if not _number(EXTENSION):
        raise NotReady("This database has no Citus extension. See docs/scale.md, Citus.")
    if not _number(MACHINES):
        raise NotReady("The cluster has no machine for shards yet: SELECT citus_add_node('host', 5432)")


def is_unfinished() -> bool:
    """Whether some of the hot tables are distributed and others are not."""
    if not _number(EXTENSION):
        return False
    return bool(_number(IS_BEGUN, list(HOT))) and next(steps(), None) is not None


def steps() -> Iterator[Step]:
    """The remaining steps, in order. They are found lazily, so run each step before asking for the next."""
    yield from _settings()
    bound = _rows(BOUND, list(HOT))
    if bound:
        drops = [sql.compose(DROP, table=table, name=Identifier(name)) for table, name in bound]
        yield Step(f"Drop {len(drops)} foreign keys of the hot tables", drops)
    for (table,) in _rows(MISSING, list(REFERENCE)):
        yield Step(f"Copy {table} to every machine", [sql.compose(REFER, table=Literal(table))])
    for (table,) in _rows(MISSING, list(HOT)):
        yield Step(f"Distribute {table} by payer", _distribute(table))
    for table, columns, target, referenced in FOREIGN_KEYS:
        name = ON_ROOT if table == ACCOUNTS else f"{table}_{columns}_fkey"
        if not _number(HAS_CONSTRAINT, table, name):
            parts = {"columns": columns, "target": target, "referenced": referenced}
            add = sql.compose(ADD, table=table, name=Identifier(name), **parts)
            yield Step(f"Let {table} refer to {target} again", [add])

    yield from _counters()


def _counters() -> Iterator[Step]:
    counters = []
    for table, column, sequence in _rows(COUNTED):
        parts = {"table": table, "column": Identifier(column)}
        if _number(sql.compose(IS_BEHIND, sequence=sequence, **parts)):
            counters.append(sql.compose(COUNT_ON, name=Literal(sequence), **parts))
    if counters:
        yield Step(f"Let the ids of {len(counters)} tables count on", counters)


def run(step: Step) -> None:
    owner = privileges.owner()
    with transaction.atomic(owner), privileges.cursor() as cursor:
        for name, value in SETTINGS.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
        for statement in step.statements:
            cursor.execute(statement)


def _settings() -> Iterator[Step]:
    """New connections have them."""
    unset = [name for (name,) in _rows(UNSET, list(SETTINGS), list(SETTINGS.values()))]
    if unset:
        database = Identifier(connections[privileges.owner()].settings_dict["NAME"])
        statements = [sql.compose(SET, database=database, name=name, value=Literal(SETTINGS[name])) for name in unset]
        yield Step(f"Set {', '.join(unset)} for the database", statements)


def _distribute(table: str) -> list[str]:
    """Citus copies the rows to the shards, and leaves those that it copied until they are removed. That is a TRUNCATE,
    which triggers refuse, so they are made again afterwards."""
    beside = Literal("none" if table == ACCOUNTS else ACCOUNTS)
    column = Literal("organization_id" if table == ACCOUNTS else "account_id")
    triggers = _rows(TRIGGERS, table, table)
    leaves = [leaf for (leaf,) in _rows(LEAVES, table)] or [table]
    return [
        *(sql.compose(DROP_TRIGGER, name=Identifier(name), table=of) for of, name, _ in triggers),
        sql.compose(DISTRIBUTE, table=Literal(table), column=column, beside=beside),
        *(sql.compose(EMPTY, table=Literal(leaf)) for leaf in leaves),
        *(definition for *_, definition in triggers),
    ]


def _rows(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with privileges.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _number(statement: str, *parameters: Any) -> int:
    return int(_rows(statement, *parameters)[0][0])
