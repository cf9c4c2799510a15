"""The partitions of accounts_event: one leaf a month, by the time in the event's id, made ahead of time.

The first leaf, accounts_event_before, has all events from before the table was partitioned. A leaf that is past its
time is detached while others read and write, and stays as a table of its own, for the operator to archive and drop.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from psycopg.sql import Identifier, Literal

from accounts.lib import identifiers, months, sql
from accounts.models import PersonalData
from usage.storage import partitions, privileges
from usage.storage.partitions import MONTHS_AHEAD

LOCK_KEY = 7023452  # if two processes make leaves at once, the second one waits and finds them made
NAME = "accounts_event_%Y_%m"

LEAVES = """
SELECT c.relname, i.inhdetachpending, pg_get_expr(c.relpartbound, c.oid)
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'accounts_event'::regclass
"""
CREATE = "CREATE TABLE {leaf} (LIKE accounts_event INCLUDING ALL)"
ATTACH = "ALTER TABLE accounts_event ATTACH PARTITION {leaf} FOR VALUES FROM ({start}) TO ({end})"
DETACH = "ALTER TABLE accounts_event DETACH PARTITION {leaf} {mode}"

# A trigger on TRUNCATE is not inherited, so each leaf needs its own.
GUARD = """
CREATE OR REPLACE TRIGGER event_no_truncate BEFORE TRUNCATE ON {leaf}
   FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change()
"""


@dataclass(frozen=True)
class Leaf:
    """Its events were made before `end`. `is_pending`: a detaching of it was begun and not finished."""

    name: str
    end: datetime
    is_pending: bool


def leaves() -> list[Leaf]:
    """The oldest first."""
    with privileges.cursor() as cursor:
        cursor.execute(LEAVES)
        rows = [Leaf(name, _end(bounds), is_pending) for name, is_pending, bounds in cursor.fetchall()]
    return sorted(rows, key=lambda leaf: leaf.end)


def _end(bounds: str) -> datetime:
    """The time in the last id of `FOR VALUES FROM ('…') TO ('…')`."""
    id = UUID(re.findall(r"[0-9a-f-]{36}", bounds)[-1])
    return datetime.fromtimestamp((id.int >> 80) / 1000, UTC)


def ensure(now: datetime, ahead: int = MONTHS_AHEAD) -> list[str]:
    """Make the missing leaves up to `ahead` months after this one; returns their names."""
    made, last = [], months.shift(months.month_of(now), ahead)
    with transaction.atomic(privileges.owner()), privileges.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        month = months.month_of(leaves()[-1].end)  # in which the newest leaf ends
        while month <= last:
            made.append(_make(month))
            month = months.shift(month, 1)
    return made


def _make(month: date) -> str:
    name = f"{month:{NAME}}"
    start, end = (Literal(identifiers.first_uuid7(moment)) for moment in months.bounds(month))
    with privileges.cursor() as cursor:
        for statement in (CREATE, ATTACH, GUARD):
            parts = {"leaf": Identifier(name), "start": start, "end": end}
            cursor.execute(sql.compose(statement, **parts))
    return name


def retire(now: datetime) -> list[str]:
    """Erase the personal data of events past EVENTS_RETENTION_DAYS, and detach their leaves; returns the tables.

    Detaching waits for the transactions that may see the leaf, and can't run inside a transaction.
    """
    if not settings.EVENTS_RETENTION_DAYS:
        return []
    oldest_kept = now - timedelta(days=settings.EVENTS_RETENTION_DAYS)
    past = [leaf for leaf in leaves() if leaf.end <= oldest_kept]
    for leaf in past:
        PersonalData.objects.filter(event_id__lt=identifiers.first_uuid7(leaf.end)).delete()
        mode = partitions.detaching(is_pending=leaf.is_pending)
        with privileges.cursor() as cursor:
            cursor.execute(sql.compose(DETACH, leaf=Identifier(leaf.name), mode=mode))
    return [leaf.name for leaf in past]
