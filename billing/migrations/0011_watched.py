from django.db import migrations, models

from accounts import migrating


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("billing", "0010_due_accounts")]

    operations = [
        *migrating.add_index(
            "ledgeraccount",
            models.Index(
                condition=models.Q(("low_balance__isnull", False), ("is_low", True), _connector="OR"),
                fields=["organization"],
                name="ledger_account_watched",
            ),
        ),
        *migrating.add_index(
            "spending",
            models.Index(
                condition=models.Q(("alerted__gt", 0)), fields=["account_id"], name="spending_announced"
            ),
        ),
    ]
