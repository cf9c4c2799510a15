"""The partitions of usage_event: one leaf a month of arrival (`recorded_at`), made ahead of time.

A leaf is created like its parent and then attached, which, unlike CREATE … PARTITION OF, does not stop those who read
and write the others; nor does it stop them that one is detached. There is no default partition: an event that had no
leaf would be refused, never misplaced.
"""

from datetime import date, datetime

from django.db import connection, transaction

from accounts.lib import months

MONTHS_AHEAD = 3
LOCK_KEY = 7023451  # of two that make partitions at once, one works and the other finds them there
NAME = "usage_event_%Y_%m"

LEAVES = """
SELECT c.relname, i.inhdetachpending FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'usage_event'::regclass ORDER BY 1
"""

# Those that may still be emptied: a trigger of TRUNCATE is not inherited.
UNGUARDED = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'usage_event'::regclass
   AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'usage_event_no_truncate')
"""


@transaction.atomic
def ensure(start: datetime, ahead: int = MONTHS_AHEAD) -> list[str]:
    """Make the leaves of the month of `start` and of `ahead` more that are missing; their names."""
    made, month = [], months.month_of(start)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        for _ in range(ahead + 1):
            name = f"{month:{NAME}}"
            cursor.execute("SELECT to_regclass(%s) IS NULL", [name])
            if cursor.fetchone()[0]:
                _make(cursor, name, month)
                made.append(name)
            month = months.shift(month, 1)
    return made


def _make(cursor: object, name: str, month: date) -> None:
    # The name and the bounds are made of a date alone; DDL takes no parameters.
    start, end = months.bounds(month)
    bounds = f"FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
    cursor.execute(f"CREATE TABLE {name} (LIKE usage_event INCLUDING ALL)")  # type: ignore[attr-defined]
    cursor.execute(f"CREATE UNIQUE INDEX {name}_once ON {name} (account_id, organization_id, id)")  # type: ignore[attr-defined]
    cursor.execute(f"ALTER TABLE usage_event ATTACH PARTITION {name} FOR VALUES {bounds}")  # type: ignore[attr-defined]


def guard() -> None:
    """Have every leaf refuse TRUNCATE. What was detached goes on to refuse it; it can be dropped."""
    with connection.cursor() as cursor:
        cursor.execute(UNGUARDED)
        for (name,) in cursor.fetchall():
            cursor.execute(
                f"CREATE OR REPLACE TRIGGER usage_event_no_truncate BEFORE TRUNCATE ON {name}"
                " FOR EACH STATEMENT EXECUTE FUNCTION usage_refuse_change()"
            )


def attached() -> dict[date, bool]:
    """The months that have a leaf, and whether its detaching was begun and not finished."""
    with connection.cursor() as cursor:
        cursor.execute(LEAVES)
        return {datetime.strptime(name, NAME).date(): begun for name, begun in cursor.fetchall()}


def detach(month: date) -> str:
    """Detach the leaf of the month, or finish that, while others read and write; the name of the table that is left.

    It waits for the transactions that may see the leaf, and needs autocommit.
    """
    name, how = f"{month:{NAME}}", "FINALIZE" if attached()[month] else "CONCURRENTLY"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE usage_event DETACH PARTITION {name} {how}")
    return name
