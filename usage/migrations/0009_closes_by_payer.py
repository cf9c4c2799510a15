"""The payer leads the primary key of closes, as it leads those of all hot tables. Django takes `id` for the key."""

from django.db import migrations

from accounts.lib.migrating import lead_key_by_payer


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("usage", "0008_imported_customers")]

    operations = lead_key_by_payer("usage_monthclose", "month_close_by_payer")
