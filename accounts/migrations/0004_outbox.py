"""Emails that are to go out are rows of their own.

Invitations used to be their own queue, with `sent_at`. The column stays for the release before, which sends what has
none; its default keeps that release from sending what the outbox sends. A later release drops it.
"""

import json

import django.utils.timezone
from django.db import migrations, models

import accounts.lib.identifiers
from accounts.lib import encryption


def queue_unsent_invitations(apps, schema_editor):
    now = django.utils.timezone.now()
    emails = apps.get_model("accounts", "Email").objects
    unsent = apps.get_model("accounts", "Invitation").objects.filter(
        sent_at=None, accepted_at=None, revoked_at=None, expires_at__gt=now
    )
    for invitation in unsent.iterator():
        context = {"invitation": str(invitation.pk), "expires_at": invitation.expires_at.isoformat()}
        sealed = encryption.encrypt(json.dumps(context).encode(), purpose="email")
        emails.create(template="invitation", to=invitation.email, context=sealed)
    unsent.update(sent_at=now)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_replaced_tokens")]

    operations = [
        migrations.CreateModel(
            name="Email",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("template", models.CharField(max_length=60)),
                ("to", models.EmailField(max_length=250)),
                ("context", models.BinaryField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("next_attempt_at", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE accounts_invitation ALTER COLUMN sent_at SET DEFAULT now()",
            "ALTER TABLE accounts_invitation ALTER COLUMN sent_at DROP DEFAULT",
        ),
        migrations.RunPython(queue_unsent_invitations, migrations.RunPython.noop),
        migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("invitation", "sent_at")]),
    ]
