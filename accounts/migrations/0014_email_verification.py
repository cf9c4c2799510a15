"""Addresses are proved. People who are there already count as proved: their keys and colleagues must go on."""

import django.utils.timezone
from django.db import migrations, models

import accounts.lib.identifiers
import accounts.models.fields


class Migration(migrations.Migration):
    dependencies = [("accounts", "0013_delivery_queue")]

    operations = [
        migrations.AddField("user", "email_verified_at", models.DateTimeField(editable=False, null=True)),
        migrations.RunSQL("UPDATE accounts_user SET email_verified_at = created_at", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="EmailCode",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("purpose", models.CharField(choices=[("sign_up", "Sign Up")], max_length=12)),
                ("email", accounts.models.fields.EmailField(max_length=250)),
                ("digest", models.BinaryField(max_length=32)),
                ("data", models.BinaryField()),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
            options={
                "indexes": [models.Index(fields=["email", "purpose"], name="email_code_of_address")],
            },
        ),
    ]
