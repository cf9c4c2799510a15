from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("billing", "0009_first_grants")]

    operations = [
        AddIndexConcurrently(
            model_name="ledgeraccount",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="ledger_account_due"
            ),
        ),
    ]
