"""What concerns the company alone, such as its platform keys, is an event too, and has no organization.

The column's constraint is dropped in the table of events and in each of its partitions, which have one of their own.
"""

import django.db.models.deletion
from django.db import migrations, models

from accounts.lib import migrating

LEAVES = "SELECT relid::regclass::text FROM pg_partition_tree('accounts_event') WHERE isleaf"
ONE = models.UniqueConstraint(fields=["sequence"], condition=models.Q(root=None), name="event_sequence_of_company")


def let_be_null(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(LEAVES)
        for (leaf,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {leaf} ALTER COLUMN organization_id DROP NOT NULL")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("accounts", "0030_installation")]
    operations = [
        migrations.AlterField(
            "event",
            "organization",
            models.ForeignKey(
                "accounts.Organization",
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="events",
            ),
        ),
        migrations.RunPython(let_be_null, migrations.RunPython.noop),
        migrations.AlterField(
            "publishedevent",
            "root",
            models.ForeignKey(
                "accounts.Organization",
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
            ),
        ),
        *migrating.add_unique(
            "publishedevent", ONE, on="accounts_publishedevent (sequence) WHERE root_id IS NULL"
        ),
    ]
