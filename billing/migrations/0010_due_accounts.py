from django.db import migrations, models

from accounts import migrating


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("billing", "0009_first_grants")]

    operations = migrating.add_index(
        "ledgeraccount",
        models.Index(condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="ledger_account_due"),
    )
