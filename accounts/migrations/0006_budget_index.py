from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    """Beside running requests: the index is built without a lock that stops them, the constraint checked apart."""

    atomic = False

    dependencies = [("accounts", "0005_budgets_and_events")]

    operations = [
        AddIndexConcurrently(
            model_name='organization',
            index=models.Index(condition=models.Q(('monthly_budget__isnull', False)), fields=['root'], name='organization_with_budget'),
        ),
        AddConstraintNotValid(
            model_name='organization',
            constraint=models.CheckConstraint(condition=models.Q(('monthly_budget', None), ('monthly_budget__gte', 0), _connector='OR'), name='organization_budget_not_negative'),
        ),
        ValidateConstraint(model_name="organization", name="organization_budget_not_negative"),
    ]
