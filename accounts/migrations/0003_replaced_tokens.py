"""Every replaced refresh token is known for the grace, not just the last one.

The columns `previous_digest` and `rotated_at` of token families stay in the database for the release before, which
writes them. Both may be null. A later release drops them.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_normal_emails")]

    operations = [
        migrations.CreateModel(
            name="ReplacedToken",
            fields=[
                ("digest", models.BinaryField(editable=False, primary_key=True, serialize=False)),
                ("replaced_at", models.DateTimeField()),
                (
                    "family",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="replaced_tokens",
                        to="accounts.tokenfamily",
                    ),
                ),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveField("tokenfamily", "previous_digest"),
                migrations.RemoveField("tokenfamily", "rotated_at"),
            ]
        ),
    ]
