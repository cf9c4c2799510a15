"""The partitions of usage_event: one leaf a month of arrival (`recorded_at`), made ahead of time.

A leaf is created like its parent and then attached, which, unlike CREATE … PARTITION OF, does not stop those who read
and write the others. There is no default partition: an event that had no leaf would be refused, never misplaced.
"""

from datetime import UTC, date, datetime

from django.db import connection, transaction

MONTHS_AHEAD = 3
LOCK_KEY = 7023451  # of two that make partitions at once, one works and the other finds them there


def next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def month_bounds(moment: datetime) -> tuple[datetime, datetime]:
    """The first instant of the moment's month in UTC, and of the next: the bounds of its leaf."""
    first = moment.astimezone(UTC).date().replace(day=1)
    following = next_month(first)
    return _midnight(first), _midnight(following)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@transaction.atomic
def ensure(start: datetime, months: int = MONTHS_AHEAD) -> list[str]:
    """Make the leaves of the month of `start` and of `months` more that are missing; their names."""
    made, month = [], start.astimezone(UTC).date().replace(day=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        for _ in range(months + 1):
            name = f"usage_event_{month:%Y_%m}"
            cursor.execute("SELECT to_regclass(%s) IS NULL", [name])
            if cursor.fetchone()[0]:
                _make(cursor, name, month)
                made.append(name)
            month = next_month(month)
    return made


def _make(cursor: object, name: str, month: date) -> None:
    # The name and the bounds are made of a date alone; DDL takes no parameters.
    bounds = f"FROM ('{_midnight(month).isoformat()}') TO ('{_midnight(next_month(month)).isoformat()}')"
    cursor.execute(f"CREATE TABLE {name} (LIKE usage_event INCLUDING ALL)")  # type: ignore[attr-defined]
    cursor.execute(f"CREATE UNIQUE INDEX {name}_once ON {name} (organization_id, id)")  # type: ignore[attr-defined]
    cursor.execute(f"ALTER TABLE usage_event ATTACH PARTITION {name} FOR VALUES {bounds}")  # type: ignore[attr-defined]
