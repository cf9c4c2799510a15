"""The numbers in an entry's metadata are read as Decimals. The database doesn't change."""

import accounts.lib.jsonb
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_payment_indexes")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    "ledgerentry",
                    "metadata",
                    models.JSONField(
                        default=dict, encoder=accounts.lib.jsonb.Encoder, decoder=accounts.lib.jsonb.Decoder
                    ),
                ),
            ]
        ),
    ]
