"""A kind of entry for balances that come from another system. The new constraint is there before the old one goes."""

from django.db import migrations, models

from accounts.lib import migrating

LOWERS = models.CheckConstraint(
    condition=models.Q(amount__lt=0)
    | models.Q(kind__in=["purchase", "grant", "reversal", "adjustment", "import"]),
    name="ledger_entry_debit_lowers",
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("billing", "0016_close_requests")]
    operations = [
        migrations.AlterField(
            "ledgerentry",
            "kind",
            models.CharField(
                choices=[
                    ("purchase", "Purchase"),
                    ("grant", "Grant"),
                    ("usage", "Usage"),
                    ("subscription", "Subscription"),
                    ("capture", "Capture"),
                    ("refund", "Refund"),
                    ("chargeback", "Chargeback"),
                    ("expiry", "Expiry"),
                    ("reversal", "Reversal"),
                    ("adjustment", "Adjustment"),
                    ("import", "Import"),
                ],
                max_length=12,
            ),
        ),
        *migrating.add_check("ledgerentry", "billing_ledgerentry", LOWERS),
        *migrating.drop_constraint("ledgerentry", "billing_ledgerentry", "ledger_entry_debits_lower"),
    ]
