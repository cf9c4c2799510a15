from django.db import migrations, models

# By the calendar months of the payers' zones; of a zone that PostgreSQL does not know, those of UTC.
REQUESTS = """
WITH zone AS MATERIALIZED (
    SELECT o.id, coalesce(z.name, 'UTC') AS name
      FROM accounts_organization o LEFT JOIN pg_timezone_names z ON z.name = o.timezone WHERE o.parent_id IS NULL)
INSERT INTO usage_volume AS v (account_id, meter_id, month, quantity, requests)
SELECT r.account_id, r.meter_id, date_trunc('month', r.bucket AT TIME ZONE zone.name)::date, 0, sum(r.requests)
  FROM usage_usagerollup r JOIN zone ON zone.id = r.account_id
 WHERE r.environment = 'live' GROUP BY 1, 2, 3
ON CONFLICT (account_id, meter_id, month) DO UPDATE SET requests = excluded.requests;
"""


class Migration(migrations.Migration):
    dependencies = [("usage", "0004_usage_columns")]

    operations = [
        migrations.AddField(
            model_name="volume",
            name="requests",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.RunSQL(REQUESTS),
    ]
