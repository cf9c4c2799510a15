"""Reads the figures of reports from a replica of the database, if there is one, and says how old they are.

Only figures come from it. Permissions, and the objects that the figures are about, are read from the primary, so that
people always see what they have just created. If the replica is down, too far behind, or no longer a replica, it isn't
used for some seconds, and the primary answers instead.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, InterfaceError, OperationalError, ProgrammingError, connections
from django.utils import timezone

from accounts.lib import snapshot

ALIAS = "replica"
PAUSE_SECONDS = 10
STATEMENT_TIMED_OUT = "57014"
# The clock is read first: what is committed between the two is then in the position. That is the end of what was
# written, not the place for the next record, which in a new file of the log comes after a header.
POSITION = "SELECT clock_timestamp(), pg_current_wal_flush_lsn()::text"
PROGRESS = "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn() >= %s::pg_lsn, pg_last_xact_replay_timestamp()"

log = structlog.get_logger()
_reads = ContextVar("reads", default=DEFAULT_DB_ALIAS)
_left_alone_until = 0.0  # by the monotonic clock of this process
T = TypeVar("T")


class Unusable(Exception):
    """The replica answers, but its figures can't be shown. The message says why."""


@dataclass(frozen=True)
class Figures(Generic[T]):
    """What was committed by `as_of`, by the primary's clock, is in the value."""

    value: T
    as_of: datetime


class Router:
    """Django asks it which connection a query takes. Writes go to the primary, and so do rows read from a replica."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return _reads.get()

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, first: Any, second: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db != ALIAS


def is_configured() -> bool:
    return ALIAS in connections.settings


def figures(read: Callable[[], T]) -> Figures[T]:
    """What `read` returns, all of it from one snapshot. It may be called twice, and must not return lazy querysets."""
    if is_configured() and time.monotonic() >= _left_alone_until:
        try:
            return _from(ALIAS, read, as_of())
        except (OperationalError, InterfaceError, ProgrammingError, Unusable) as error:  # or it lacks a new table
            if getattr(error.__cause__, "sqlstate", None) == STATEMENT_TIMED_OUT:
                raise  # the primary would take as long
            _leave_alone(error)
    return _from(DEFAULT_DB_ALIAS, read, timezone.now())


def as_of() -> datetime:
    """The moment up to which the replica has everything.

    Raises Unusable, or what Django raises if it can't be reached.
    """
    now, moment = _progress()
    if moment is None or (now - moment).total_seconds() > settings.DATABASE_REPLICA_LAG_SECONDS:
        behind = f"{(now - moment).total_seconds():.0f} s" if moment else "an unknown time"
        raise Unusable(f"The replica is {behind} behind; DATABASE_REPLICA_LAG_SECONDS allows less.")
    return moment


def lag() -> float | None:
    """Seconds that the replica is behind; None if it doesn't know. Raises what `as_of` raises."""
    now, moment = _progress()
    return (now - moment).total_seconds() if moment else None


def _progress() -> tuple[datetime, datetime | None]:
    """The primary's time, and the moment up to which the replica has everything.

    A replica says when the last transaction that it applied was committed. On a quiet primary that is long ago, so one
    that has applied all there is to apply is as of now.
    """
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(POSITION)
        now, position = cursor.fetchone()
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(PROGRESS, [position])
        is_replica, has_all, applied_at = cursor.fetchone()
    if not is_replica:
        raise Unusable("The database in DATABASE_REPLICA_URL is no streaming replica.")
    return now, now if has_all else applied_at


def _from(alias: str, read: Callable[[], T], as_of: datetime) -> Figures[T]:
    token = _reads.set(alias)
    try:
        with snapshot.consistent(alias):
            return Figures(read(), as_of)
    finally:
        _reads.reset(token)


def _leave_alone(error: Error | Unusable) -> None:
    global _left_alone_until
    _left_alone_until = time.monotonic() + PAUSE_SECONDS
    log.warning("replica not used", error=str(error).strip(), seconds=PAUSE_SECONDS)
    connections[ALIAS].close()
