from django.db import migrations, models

from accounts import migrating


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("accounts", "0005_budgets_and_events")]

    operations = [
        *migrating.add_index(
            "organization",
            models.Index(
                condition=models.Q(("monthly_budget__isnull", False)), fields=["root"], name="organization_with_budget"
            ),
        ),
        *migrating.add_check(
            "organization",
            "accounts_organization",
            models.CheckConstraint(
                condition=models.Q(("monthly_budget", None), ("monthly_budget__gte", 0), _connector="OR"),
                name="organization_budget_not_negative",
            ),
        ),
    ]
