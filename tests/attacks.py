"""Statements that try to change what the database holds for good."""

from typing import Any

from django.db import connection, transaction


def run(sql: str, *parameters: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # TRUNCATE refuses a table with foreign keys left to check
        cursor.execute(sql, parameters)
