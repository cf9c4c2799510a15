from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    """Beside running requests: the index is built without a lock that stops them, the constraint checked apart."""

    atomic = False

    dependencies = [("apikeys", "0003_budgets_and_rate_windows")]

    operations = [
        AddIndexConcurrently(
            model_name='apikey',
            index=models.Index(condition=models.Q(('monthly_budget__isnull', False)), fields=['organization'], name='api_key_with_budget'),
        ),
        AddConstraintNotValid(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('monthly_budget', None), ('monthly_budget__gte', 0), _connector='OR'), name='api_key_budget_not_negative'),
        ),
        ValidateConstraint(model_name="apikey", name="api_key_budget_not_negative"),
    ]
