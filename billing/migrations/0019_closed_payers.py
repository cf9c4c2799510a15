"""A payer that is closed takes no usage. Its account says so, since that is what usage locks."""

from django.db import migrations, models

FILL = """
UPDATE billing_ledgeraccount a SET closed_at = o.closed_at
  FROM accounts_organization o WHERE o.id = a.organization_id AND o.closed_at IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0018_checked_rate_limits"), ("accounts", "0026_leaving")]

    operations = [
        migrations.AddField("ledgeraccount", "closed_at", models.DateTimeField(null=True)),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
