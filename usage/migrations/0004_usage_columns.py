from django.db import migrations

COLUMNS = """
ALTER TABLE usage_event ADD COLUMN hold_id uuid, ADD COLUMN late boolean NOT NULL DEFAULT false;
ALTER TABLE usage_volume SET (fillfactor = 70);
"""

# The calendar months of the payers' zones; of a zone that PostgreSQL does not know, those of UTC.
ZONES = """
CREATE TEMPORARY TABLE payer_zone ON COMMIT DROP AS
SELECT o.id, coalesce(z.name, 'UTC') AS name
  FROM accounts_organization o LEFT JOIN pg_timezone_names z ON z.name = o.timezone WHERE o.parent_id IS NULL;
"""
VOLUMES = """
INSERT INTO usage_volume (account_id, meter_id, month, quantity)
SELECT r.account_id, r.meter_id, date_trunc('month', r.bucket AT TIME ZONE z.name)::date, sum(r.quantity)
  FROM usage_usagerollup r JOIN payer_zone z ON z.id = r.account_id
 WHERE r.environment = 'live' GROUP BY 1, 2, 3;
"""
SPENDINGS = """
INSERT INTO billing_spending (account_id, subject, month, spent)
SELECT r.account_id, s.subject, date_trunc('month', r.bucket AT TIME ZONE z.name)::date, sum(r.credits)
  FROM usage_usagerollup r JOIN payer_zone z ON z.id = r.account_id
  JOIN accounts_organization o ON o.id = r.organization_id
 CROSS JOIN LATERAL unnest(array_append(o.path, r.key_id)) AS s(subject)
 WHERE r.credits <> 0 AND s.subject IS NOT NULL GROUP BY 1, 2, 3;
"""


class Migration(migrations.Migration):
    dependencies = [("usage", "0003_volumes_voids_retention"), ("billing", "0009_first_grants")]

    operations = [migrations.RunSQL(COLUMNS), migrations.RunSQL(ZONES), migrations.RunSQL(VOLUMES), migrations.RunSQL(SPENDINGS)]
