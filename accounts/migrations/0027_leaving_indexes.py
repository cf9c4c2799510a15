from django.db import migrations, models

from accounts.lib.migrating import add_index


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("accounts", "0026_leaving")]

    operations = [
        *add_index(
            "organization",
            models.Index(
                condition=models.Q(("closed_at__isnull", False), ("forgotten_at", None)),
                fields=["closed_at"],
                name="organization_to_forget",
            ),
        ),
        *add_index(
            "user",
            models.Index(condition=models.Q(("erase_at__isnull", False)), fields=["erase_at"], name="user_to_erase"),
        ),
    ]
