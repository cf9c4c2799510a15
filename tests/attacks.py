"""Statements that try to change rows that must never change."""

from typing import Any

from django.db import connection, transaction


def run(sql: str, *parameters: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # TRUNCATE refuses a table that has pending foreign key checks
        cursor.execute(sql, parameters)
