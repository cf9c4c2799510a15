"""The payer leads the primary key of seals, as it leads those of all hot tables. Django takes `id` for the key."""

from django.db import migrations

from accounts.lib.migrating import lead_key_by_payer


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("billing", "0021_fill_closed_payers")]

    operations = lead_key_by_payer("billing_ledgerseal", "ledger_seal_by_payer")
