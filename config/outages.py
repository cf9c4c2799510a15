"""Recognizes errors that mean that PostgreSQL or Redis is out of order, and describes them in a sentence."""

from collections.abc import Mapping
from contextlib import suppress

from django.core.cache import cache
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

STATEMENT_TIMED_OUT = "57014"
# By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
BY_STATE: Mapping[str, str] = {
    "26000": "The pooler in front of the database drops prepared statements. Set DATABASE_PREPARED_STATEMENTS=off, or "
    "max_prepared_statements in PgBouncer 1.21 or later.",
    "53100": "The database's disk is full.",
    "53200": "The database is out of memory.",
    "53300": "The database has no connections left. Raise max_connections, or put a pooler in front of it.",
    STATEMENT_TIMED_OUT: "A statement took longer than its time limit.",
    "57P01": "The database is stopping.",
    "57P02": "The database crashed and is starting again.",
    "57P03": "The database is starting.",
    "25006": "The database is read-only.",
}
BY_STATE = {**BY_STATE, "42P05": BY_STATE["26000"]}
# A failed connection has no SQLSTATE, only a message of libpq's.
BY_MESSAGE: Mapping[str, str] = {
    "password authentication failed": "The database refuses the password in DATABASE_URL.",
    "no password supplied": "The database wants a password, and DATABASE_URL has none.",
    "does not exist": "The role or the database in DATABASE_URL doesn't exist.",
    "no pg_hba.conf entry": "The database doesn't accept connections from this machine: see its pg_hba.conf.",
    "unsupported startup parameter": "The pooler in front of the database refuses a startup parameter. Set "
    "DATABASE_STATEMENT_TIMEOUT_SECONDS=0 and DATABASE_TASK_TIMEOUT_SECONDS=0, and give the role a statement_timeout.",
    "too many clients": BY_STATE["53300"],
    "starting up": BY_STATE["57P03"],
    "shutting down": BY_STATE["57P01"],
    "resolve host": "The host in DATABASE_URL has no address.",
    "Connection refused": "Nothing listens at the address in DATABASE_URL.",
    "No such file": "Nothing listens at the address in DATABASE_URL.",
    "timeout expired": "The database doesn't answer.",
}

# Errors that a probe's SELECT doesn't meet, because it needs no disk and no statement of an earlier transaction.
ONLY_IN_USE = {BY_STATE[state] for state in ("25006", "26000", "53100")}
REMEMBERED_SECONDS = 60
REMEMBERED_KEY = "outage"


def remember(sentence: str) -> None:
    """Make /readyz of all processes report for a minute what a request ran into, if a probe wouldn't notice it."""
    if sentence in ONLY_IN_USE:
        with suppress(RedisError):
            cache.set(REMEMBERED_KEY, sentence, REMEMBERED_SECONDS)


def remembered() -> str:
    with suppress(RedisError):
        return str(cache.get(REMEMBERED_KEY, ""))
    return ""


def reason(error: BaseException | None) -> str | None:
    """What is wrong; None if the error is a bug of ours."""
    match error:
        case DatabaseError():
            state = getattr(error.__cause__, "sqlstate", None) or ""
            if state in BY_STATE:
                return BY_STATE[state]
            return _of_connection(str(error)) if isinstance(error, OperationalError | InterfaceError) else None
        case AuthenticationError():
            return "Redis refuses the password in REDIS_URL."
        case RedisTimeoutError():
            return "Redis doesn't answer."
        case RedisConnectionError():
            return "Redis can't be reached at the address in REDIS_URL."
        case BrokerError():
            return "The broker of the tasks can't be reached."
    return None


def _of_connection(message: str) -> str:
    known = (sentence for part, sentence in BY_MESSAGE.items() if part in message)
    return next(known, "The database can't be reached, or broke the connection.")
