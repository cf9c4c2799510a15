"""Endpoints of the company's own, warnings of those that fail, and redelivery as a job."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import accounts.lib.identifiers


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_clock_ahead")]

    operations = [
        migrations.AlterField(
            "webhookendpoint",
            "organization",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="webhook_endpoints",
                to="accounts.organization",
            ),
        ),
        migrations.AddField("webhookendpoint", "warned_at", models.DateTimeField(null=True)),
        migrations.CreateModel(
            name="Redelivery",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("only_failed", models.BooleanField()),
                ("total", models.PositiveIntegerField()),
                ("done", models.PositiveIntegerField(default=0)),
                ("cursor", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "endpoint",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="redeliveries",
                        to="accounts.webhookendpoint",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "redeliveries",
                "indexes": [models.Index(fields=["endpoint", "-id"], name="redelivery_of_endpoint")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=["endpoint"], condition=Q(finished_at=None), name="redelivery_under_way"
                    )
                ],
            },
        ),
    ]
