"""Statements that change rows that must never change, or try to."""

from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from tests import cluster


def without_triggers(cursor: CursorWrapper) -> None:
    """To the end of the transaction, on every machine of a cluster: for tests that break what must never change."""
    if cluster.URL:
        cursor.execute("SET LOCAL citus.propagate_set_commands TO 'local'")
    cursor.execute("SET LOCAL session_replication_role = replica")


def run(sql: str, *parameters: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # TRUNCATE refuses a table that has pending foreign key checks
        cursor.execute(sql, parameters)
