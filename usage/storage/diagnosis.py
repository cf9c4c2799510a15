"""Finds problems of an installation, and says in sentences what to do about them. For `manage.py doctor`."""

import smtplib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.core.mail import get_connection
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from accounts import copies
from accounts.lib import broker, replica
from accounts.models import Installation
from apikeys import peppers
from billing.payments.gateways import startup
from usage.reporting import installation
from usage.storage import distributing, gauges, privileges

MOST_SKEW = 2  # seconds between our clock and the database's
LONGEST_SILENCE = 120  # seconds; beat gives a sign of life every 30
LONGEST_WAIT = 900  # seconds that a row may be due
FEWEST_DAYS = 35  # of partitions ahead; a task makes them for three months
OLDEST_PROOF = 2  # days
OLDEST_BACKUP = 2  # days


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """What a check found. `text` says what is wrong and what to do; it's empty if all is well."""

    subject: str
    level: Level
    text: str = ""


def examine(now: datetime) -> Iterator[Finding]:
    """The findings of each check. A check that fails by itself is a finding too."""
    for subject, check in CHECKS.items():
        try:
            findings = list(check(now))
        except Exception as error:
            findings = [(Level.FAIL, f"This could not be checked: {type(error).__name__}: {error}".strip())]
        for level, text in findings:
            yield Finding(subject, level, text)
        if not findings:
            yield Finding(subject, Level.OK)


Findings = Iterator[tuple[Level, str]]


def database(now: datetime) -> Findings:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp()), current_setting('server_version_num')::int")
        moment, version = cursor.fetchone()
    skew = float(moment) - now.timestamp()
    if abs(skew) > MOST_SKEW:
        yield Level.FAIL, f"The database's clock is {skew:+.0f} s from this machine's. Synchronize both (chrony, NTP)."
    if version < 150_000:
        yield Level.FAIL, f"PostgreSQL is {version // 10_000}. Tollgate needs 15 or newer."


def migrations(now: datetime) -> Findings:
    executor = MigrationExecutor(connection)
    if pending := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        yield Level.FAIL, f"{len(pending)} migrations are not applied. Run: manage.py migrate"


def database_roles(now: datetime) -> Findings:
    for warning in privileges.warnings():
        yield Level.WARN, f"{warning} See docs/operations.md, Database roles."


def read_replica(now: datetime) -> Findings:
    """Whether reports are answered by the replica of DATABASE_REPLICA_URL, and that it is one of this database."""
    if not replica.is_configured():
        return
    try:
        replica.as_of()
        if len(set(map(_cluster, (DEFAULT_DB_ALIAS, replica.ALIAS)))) != 1:
            yield Level.FAIL, "DATABASE_REPLICA_URL is a replica of another database: reports would show its figures."
    except (DatabaseError, replica.Unusable) as error:
        yield Level.WARN, f"Reports are read from the primary. {error}".strip()


def _cluster(alias: str) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT system_identifier FROM pg_control_system()")
        return int(cursor.fetchone()[0])


def distributed_tables(now: datetime) -> Findings:
    if distributing.is_unfinished():
        yield Level.FAIL, "Only some of the hot tables are distributed. Stop web and workers, and: manage.py distribute"


def partitions(now: datetime) -> Findings:
    if (days := gauges.partition_days(now)) < FEWEST_DAYS:
        level = Level.FAIL if days < 2 else Level.WARN
        yield level, f"The last partition of usage ends in {days:.0f} days. usage.tasks.make_partitions doesn't run."


def tasks(now: datetime) -> Findings:
    waiting, silence = broker.tasks_waiting(), gauges.silence(now)
    if waiting is None:
        yield Level.FAIL, "The broker of the tasks does not answer. Tasks wait for it; nothing is lost."
    elif silence is None or silence > LONGEST_SILENCE:
        since = f"for {silence:.0f} s" if silence else "since Redis was started"
        missing = "No worker takes tasks" if waiting > 1 else "Beat doesn't start tasks"
        yield (
            Level.FAIL,
            f"{missing}: no sign of life {since}. See docs/operations.md, Running in production.",
        )


def queues(now: datetime) -> Findings:
    rows = installation.waiting()
    for queue, seconds in gauges.overdue(now).items():
        if seconds > LONGEST_WAIT:
            yield Level.WARN, f"{rows[queue]} {queue} wait, the oldest for {seconds / 60:.0f} minutes."


def email(now: datetime) -> Findings:
    try:
        with get_connection(fail_silently=False):
            return
    except (OSError, smtplib.SMTPException) as error:
        yield Level.FAIL, f"The mail server of EMAIL_URL refuses us or does not answer: {error}. Emails wait."


def payment_gateway(now: datetime) -> Findings:
    for problem in startup.problems():
        yield Level.FAIL, problem


def api_keys(now: datetime) -> Findings:
    lost = sum(use.secrets for use in peppers.usage() if not use.is_known)
    if lost:
        yield Level.FAIL, f"{lost} API keys are under a pepper that API_KEY_PEPPERS doesn't have: they don't work."


def copy(now: datetime) -> Findings:
    if copies.is_copy():
        yield Level.FAIL, f"{copies.HINT} Until then it charges no cards, and sends no mail and no webhooks."


def backups(now: datetime) -> Findings:
    backed_up_at = Installation.objects.values_list("backed_up_at", flat=True).first()
    if backed_up_at is None:
        yield Level.WARN, "There is no backup by manage.py backup. If you back up in another way, leave it at that."
    elif (days := (now - backed_up_at).days) >= OLDEST_BACKUP:
        yield Level.FAIL, f"The last backup is {days} days old: manage.py backup FILE"


def books(now: datetime) -> Findings:
    proof = installation.last_proof()
    if proof is None:
        yield Level.WARN, "The books were never proved. Run: manage.py check_ledger"
    elif proof.differences:
        yield Level.FAIL, f"The last proof of the books found {proof.differences} differences: manage.py check_ledger"
    elif (days := (now - proof.finished_at).days) >= OLDEST_PROOF:
        yield (
            Level.WARN,
            f"The books were last proved {days} days ago: manage.py check_ledger",
        )


CHECKS: dict[str, Callable[[datetime], Findings]] = {
    "database": database,
    "migrations": migrations,
    "database roles": database_roles,
    "read replica": read_replica,
    "distributed tables": distributed_tables,
    "partitions": partitions,
    "tasks": tasks,
    "queues": queues,
    "email": email,
    "payment gateway": payment_gateway,
    "API keys": api_keys,
    "books": books,
    "backups": backups,
    "copy": copy,
}
