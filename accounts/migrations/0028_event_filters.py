"""Indexes for the filters `actor` and `target` of the audit log. Others read and write events meanwhile.

An index of a partitioned table can't be built concurrently. So each partition gets its own first, and then it is
attached. A run that was killed is run again: it keeps what is whole, and builds the rest anew.
"""

from django.db import migrations

from accounts.lib.migrating import is_whole, patience

INDEXES = {
    "event_of_actor": "((actor -> 'id'), id DESC)",
    "event_of_target": "USING gin (targets jsonb_path_ops)",
}

LEAVES = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'accounts_event'::regclass
 ORDER BY 1
"""
# Whether a partition has a valid index that is attached to this one.
ATTACHED = """
SELECT 1 FROM pg_inherits h JOIN pg_index i ON i.indexrelid = h.inhrelid
 WHERE h.inhparent = %s::regclass AND i.indrelid = %s::regclass AND i.indisvalid
"""


def build(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for name, definition in INDEXES.items():
            cursor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON ONLY accounts_event {definition}")
            cursor.execute(LEAVES)
            for (leaf,) in cursor.fetchall():
                cursor.execute(ATTACHED, [name, leaf])
                if cursor.fetchone():
                    continue
                own = leaf.replace("accounts_event", name)
                if not is_whole(cursor, own):
                    with patience(schema_editor.connection):
                        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {own}")
                        cursor.execute(f"CREATE INDEX CONCURRENTLY {own} ON {leaf} {definition}")
                cursor.execute(f"ALTER INDEX {name} ATTACH PARTITION {own}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("accounts", "0027_leaving_indexes")]

    operations = [migrations.RunPython(build, migrations.RunPython.noop)]
