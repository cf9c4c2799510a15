from django.db import migrations, models

from accounts import migrating


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("apikeys", "0003_budgets_and_rate_windows")]

    operations = [
        *migrating.add_index(
            "apikey",
            models.Index(
                condition=models.Q(("monthly_budget__isnull", False)),
                fields=["organization"],
                name="api_key_with_budget",
            ),
        ),
        *migrating.add_check(
            "apikey",
            "apikeys_apikey",
            models.CheckConstraint(
                condition=models.Q(("monthly_budget", None), ("monthly_budget__gte", 0), _connector="OR"),
                name="api_key_budget_not_negative",
            ),
        ),
    ]
