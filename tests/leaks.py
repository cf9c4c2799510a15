"""Finds where a text is stored in the database, so a test can assert that it is nowhere."""

from django.db import connection

COLUMNS = """
SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""


def tables_with(text: str) -> list[str]:
    """The tables that contain `text` in any column, including as bytes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        return [table for (table,) in cursor.fetchall() if _holds(table, text)]


def _holds(table: str, text: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, [table])
        row = " || ' ' || ".join(f"coalesce({column}::text, '')" for (column,) in cursor.fetchall())
        either = [f"%{text}%", f"%{text.encode().hex()}%"]
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {row} LIKE ANY (%s))", [either])
        return bool(cursor.fetchone()[0])
