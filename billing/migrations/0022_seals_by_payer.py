"""The payer leads the primary key of seals, as it leads those of all hot tables. Django takes `id` for the key."""

from django.db import migrations

from accounts.lib.migrating import RunPatiently

# Made beside requests. The key is then exchanged in an instant, and takes the index over, with its name.
DROP = "DROP INDEX CONCURRENTLY IF EXISTS ledger_seal_by_payer"
CREATE = "CREATE UNIQUE INDEX CONCURRENTLY ledger_seal_by_payer ON billing_ledgerseal (account_id, id)"
EXCHANGE = """
ALTER TABLE billing_ledgerseal DROP CONSTRAINT billing_ledgerseal_pkey,
    ADD CONSTRAINT billing_ledgerseal_pkey PRIMARY KEY USING INDEX ledger_seal_by_payer
"""
BACK = """
ALTER TABLE billing_ledgerseal DROP CONSTRAINT billing_ledgerseal_pkey,
    ADD CONSTRAINT billing_ledgerseal_pkey PRIMARY KEY (id)
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("billing", "0021_fill_closed_payers")]

    operations = [
        RunPatiently(DROP, migrations.RunSQL.noop),
        RunPatiently(CREATE, migrations.RunSQL.noop),
        migrations.RunSQL(EXCHANGE, BACK),
    ]
