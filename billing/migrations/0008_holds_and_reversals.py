from django.db import migrations, models

from accounts import migrating


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("billing", "0007_holds_grants_budgets")]

    operations = [
        *migrating.add_index(
            "hold",
            models.Index(
                condition=models.Q(("status", "open")), fields=["account", "expires_at"], name="hold_open_by_expiry"
            ),
        ),
        *migrating.add_check(
            "hold",
            "billing_hold",
            models.CheckConstraint(condition=models.Q(("captured__gte", 0)), name="hold_captured_not_negative"),
        ),
        *migrating.add_unique(
            "ledgerentry",
            models.UniqueConstraint(
                condition=models.Q(("reverses_seq__isnull", False)),
                fields=("account", "reverses_seq"),
                name="ledger_entry_reversed_once",
            ),
            on="billing_ledgerentry (account_id, reverses_seq) WHERE reverses_seq IS NOT NULL",
        ),
    ]
