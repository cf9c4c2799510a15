"""Exports, and when an organization was closed and a person erased. New columns are null, so no row is rewritten."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import accounts.lib.identifiers

from accounts.lib.migrating import lock_first


class Migration(migrations.Migration):
    dependencies = [("accounts", "0025_sign_in_elsewhere")]

    operations = [
        lock_first("accounts_user", "accounts_organization"),
        migrations.AddField("organization", "closed_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField("organization", "forgotten_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField("user", "erase_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField("user", "erased_at", models.DateTimeField(editable=False, null=True)),
        migrations.CreateModel(
            name="Export",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("requested_by", models.CharField(max_length=40)),
                ("section", models.CharField(blank=True, max_length=60)),
                ("after", models.JSONField(null=True)),
                ("done", models.PositiveSmallIntegerField(default=0)),
                ("total", models.PositiveSmallIntegerField()),
                ("counts", models.JSONField(default=dict)),
                ("size", models.BigIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("finished_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(db_index=True, null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="exports",
                        to="accounts.organization",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="exports",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("finished_at", None)),
                        fields=("organization", "user"),
                        name="export_under_way",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("organization", None), ("user__isnull", False)),
                            models.Q(("organization__isnull", False), ("user", None)),
                            _connector="OR",
                        ),
                        name="export_of_one_subject",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ExportFile",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "export_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("name", models.CharField(max_length=120)),
                ("content", models.BinaryField()),
                ("size", models.BigIntegerField()),
                ("crc", models.BigIntegerField()),
                (
                    "export",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="files",
                        to="accounts.export",
                    ),
                ),
            ],
        ),
    ]
