"""An index of late events alone, which are few. It is made on each leaf beside running requests, and then joined up."""

from django.db import migrations
from psycopg.sql import SQL, Identifier

from accounts.lib.migrating import is_whole, patience

ON_PARENT = """
CREATE INDEX IF NOT EXISTS usage_event_late ON ONLY usage_event (account_id, billed_in) WHERE billed_in IS NOT NULL
"""

# The leaves, each with its index if that is joined up already.
LEAVES = """
SELECT leaf.inhrelid::regclass::text, joined.indexrelid::regclass::text, joined.indisvalid
  FROM pg_inherits leaf
  LEFT JOIN (SELECT i.indrelid, i.indexrelid, i.indisvalid FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indexrelid
              WHERE h.inhparent = 'usage_event_late'::regclass) joined ON joined.indrelid = leaf.inhrelid
 WHERE leaf.inhparent = 'usage_event'::regclass AND NOT leaf.inhdetachpending
"""
MAKE = (
    "DROP INDEX CONCURRENTLY IF EXISTS {index}",
    "CREATE INDEX CONCURRENTLY {index} ON {leaf} (account_id, billed_in) WHERE billed_in IS NOT NULL",
)
ATTACH = "ALTER INDEX usage_event_late ATTACH PARTITION {index}"
MAKE_AGAIN = ("REINDEX INDEX CONCURRENTLY {index}",)


def index_leaves(apps, schema_editor):
    """What a run that was killed left half-made is made again."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(LEAVES)
        for leaf, joined, is_valid in cursor.fetchall():
            names = {"leaf": Identifier(leaf), "index": Identifier(joined or f"{leaf}_late")}
            if is_valid:
                continue
            if joined or not is_whole(cursor, f"{leaf}_late"):
                with patience(schema_editor.connection):
                    for statement in MAKE_AGAIN if joined else MAKE:
                        cursor.execute(SQL(statement).format(**names))
            if not joined:
                cursor.execute(SQL(ATTACH).format(**names))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("usage", "0002_months")]

    operations = [
        migrations.RunSQL(ON_PARENT, migrations.RunSQL.noop),
        migrations.RunPython(index_leaves, migrations.RunPython.noop),
    ]
