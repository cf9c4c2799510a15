"""Payers that were closed before 0019, whose lock must not be held for this."""

from django.db import migrations

FILL = """
UPDATE billing_ledgeraccount a SET closed_at = o.closed_at
  FROM accounts_organization o
 WHERE o.id = a.organization_id AND o.closed_at IS NOT NULL AND a.closed_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0020_finance_packages")]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
