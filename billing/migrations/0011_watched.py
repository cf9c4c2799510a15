from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("billing", "0010_due_accounts")]

    operations = [
        AddIndexConcurrently(
            model_name="ledgeraccount",
            index=models.Index(
                condition=models.Q(("low_balance__isnull", False), ("is_low", True), _connector="OR"),
                fields=["organization"],
                name="ledger_account_watched",
            ),
        ),
        AddIndexConcurrently(
            model_name="spending",
            index=models.Index(
                condition=models.Q(("alerted__gt", 0)), fields=["account_id"], name="spending_announced"
            ),
        ),
    ]
