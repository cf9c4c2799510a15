"""The payer leads the primary key of closes, as it leads those of all hot tables. Django takes `id` for the key."""

from django.db import migrations

from accounts.lib.migrating import RunPatiently

# Made beside requests. The key is then exchanged in an instant, and takes the index over, with its name.
DROP = "DROP INDEX CONCURRENTLY IF EXISTS month_close_by_payer"
CREATE = "CREATE UNIQUE INDEX CONCURRENTLY month_close_by_payer ON usage_monthclose (account_id, id)"
EXCHANGE = """
ALTER TABLE usage_monthclose DROP CONSTRAINT usage_monthclose_pkey,
    ADD CONSTRAINT usage_monthclose_pkey PRIMARY KEY USING INDEX month_close_by_payer
"""
BACK = """
ALTER TABLE usage_monthclose DROP CONSTRAINT usage_monthclose_pkey,
    ADD CONSTRAINT usage_monthclose_pkey PRIMARY KEY (id)
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("usage", "0008_imported_customers")]

    operations = [
        RunPatiently(DROP, migrations.RunSQL.noop),
        RunPatiently(CREATE, migrations.RunSQL.noop),
        migrations.RunSQL(EXCHANGE, BACK),
    ]
