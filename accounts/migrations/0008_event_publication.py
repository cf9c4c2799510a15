"""Events get a sequence once they are published. Those that are there already wait for it, in order of their ids."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_organization_modified_at")]

    operations = [
        migrations.AddField("event", "actor", models.JSONField(null=True)),
        migrations.AddField("event", "targets", models.JSONField(null=True)),
        migrations.AddField("event", "context", models.JSONField(null=True)),
        migrations.CreateModel(
            name="UnpublishedEvent",
            fields=[
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="unpublished",
                        serialize=False,
                        to="accounts.event",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PublishedEvent",
            fields=[
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="published",
                        serialize=False,
                        to="accounts.event",
                    ),
                ),
                ("sequence", models.BigIntegerField()),
                ("published_at", models.DateTimeField()),
                (
                    "root",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("root", "sequence"), name="event_sequence")],
            },
        ),
        migrations.RunSQL(
            "INSERT INTO accounts_unpublishedevent (event_id) SELECT id FROM accounts_event", migrations.RunSQL.noop
        ),
    ]
