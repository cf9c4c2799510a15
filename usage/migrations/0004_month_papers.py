"""What a closed month brought: its paper, and what invoices ask for since."""

import accounts.lib.money
import django.db.models.deletion
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_invoices"), ("usage", "0003_late_events")]

    operations = [
        migrations.AddField(
            "monthclose",
            "owed",
            accounts.lib.money.AmountField(
                db_default=Decimal("0"), decimal_places=9, default=Decimal("0"), max_digits=24
            ),
        ),
        migrations.AddField(
            "monthclose",
            "paper",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.invoice",
            ),
        ),
    ]
