"""The partitions of usage_event: one leaf a month of arrival (`recorded_at`, in UTC), made ahead of time.

A leaf is created as a table of its own and then attached. Unlike CREATE … PARTITION OF, that doesn't block readers and
writers of the other leaves; nor does detaching one. There is no default partition: an event without a leaf is refused,
never misplaced.
"""

from collections.abc import Iterable
from datetime import date, datetime

from django.db import transaction
from django.db.backends.utils import CursorWrapper
from psycopg.sql import SQL, Identifier, Literal

from accounts.lib import distribution, months, sql
from usage.storage import privileges

MONTHS_AHEAD = 3
LOCK_KEY = 7023451  # if two processes make partitions at once, the second one waits and finds them made
NAME = "usage_event_%Y_%m"

LEAVES = """
SELECT c.relname, i.inhdetachpending FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'usage_event'::regclass ORDER BY 1
"""

# A trigger on TRUNCATE is not inherited, so each leaf needs its own.
UNGUARDED = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'usage_event'::regclass
   AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'usage_event_no_truncate')
"""

# Not by `to_regclass`, which remembers across the wait for the lock that there was no such table.
MISSING = """
SELECT leaf FROM unnest(%s::text[]) AS leaf
 WHERE NOT EXISTS (SELECT FROM pg_class WHERE relname = leaf AND pg_table_is_visible(oid)) ORDER BY leaf
"""

CREATE = "CREATE TABLE {leaf} (LIKE usage_event INCLUDING ALL)"
UNIQUE = "CREATE UNIQUE INDEX {index} ON {leaf} (account_id, organization_id, id)"
ATTACH = "ALTER TABLE usage_event ATTACH PARTITION {leaf} FOR VALUES FROM ({start}) TO ({end})"
DETACH = "ALTER TABLE usage_event DETACH PARTITION {leaf} {mode}"
GUARD = """
CREATE OR REPLACE TRIGGER usage_event_no_truncate BEFORE TRUNCATE ON {leaf}
   FOR EACH STATEMENT EXECUTE FUNCTION usage_refuse_change()
"""


def ensure(start: datetime, ahead: int = MONTHS_AHEAD) -> list[str]:
    """Make the missing leaves of the month of `start` and of the `ahead` months after it; returns their names."""
    first = months.month_of(start)
    leaves = {f"{month:{NAME}}": month for month in (months.shift(first, number) for number in range(ahead + 1))}
    if not _missing(leaves):
        return []
    with transaction.atomic(privileges.owner()), privileges.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        missing = _missing(leaves)
        for leaf in missing:
            _make(cursor, leaf, leaves[leaf])
    return missing


def _missing(leaves: Iterable[str]) -> list[str]:
    with privileges.cursor() as cursor:
        cursor.execute(MISSING, [list(leaves)])
        return [leaf for (leaf,) in cursor.fetchall()]


def _make(cursor: CursorWrapper, leaf: str, month: date) -> None:
    start, end = months.bounds(month)
    name = Identifier(leaf)
    cursor.execute(sql.compose(CREATE, leaf=name))
    cursor.execute(sql.compose(UNIQUE, index=Identifier(f"{leaf}_once"), leaf=name))
    cursor.execute(sql.compose(ATTACH, leaf=name, start=Literal(start), end=Literal(end)))


def guard() -> None:
    """Make every leaf refuse TRUNCATE. A detached leaf still refuses it, but it can be dropped."""
    with privileges.cursor() as cursor:
        cursor.execute(UNGUARDED)
        for (leaf,) in cursor.fetchall():
            cursor.execute(sql.compose(GUARD, leaf=Identifier(leaf)))


def attached() -> dict[date, bool]:
    """The months that have a leaf, and whether a detaching of it was begun and not finished."""
    with privileges.cursor() as cursor:
        cursor.execute(LEAVES)
        return {datetime.strptime(leaf, NAME).date(): is_pending for leaf, is_pending in cursor.fetchall()}


def detach(month: date) -> str:
    """Detach the month's leaf, or finish that, while others read and write; returns the name of the table.

    It waits for the transactions that may see the leaf, and can't run inside a transaction.
    """
    leaf = f"{month:{NAME}}"
    with privileges.cursor() as cursor:
        cursor.execute(sql.compose(DETACH, leaf=Identifier(leaf), mode=detaching(is_pending=attached()[month])))
    return leaf


def detaching(*, is_pending: bool) -> SQL:
    """How a leaf is detached. Citus can't do it beside others, so there everybody waits for it."""
    if distribution.is_distributed():
        return SQL("")
    return SQL("FINALIZE" if is_pending else "CONCURRENTLY")
