from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    """Beside running requests: the index is built without a lock that stops them, the constraint checked apart."""

    atomic = False

    dependencies = [("billing", "0007_holds_grants_budgets")]

    operations = [
        AddIndexConcurrently(
            model_name='hold',
            index=models.Index(condition=models.Q(('status', 'open')), fields=['account', 'expires_at'], name='hold_open_by_expiry'),
        ),
        AddConstraintNotValid(
            model_name='hold',
            constraint=models.CheckConstraint(condition=models.Q(('captured__gte', 0)), name='hold_captured_not_negative'),
        ),
        ValidateConstraint(model_name="hold", name="hold_captured_not_negative"),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY ledger_entry_reversed_once ON billing_ledgerentry"
                    " (account_id, reverses_seq) WHERE reverses_seq IS NOT NULL"
                )
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name='ledgerentry',
                    constraint=models.UniqueConstraint(condition=models.Q(('reverses_seq__isnull', False)), fields=('account', 'reverses_seq'), name='ledger_entry_reversed_once'),
                ),
            ],
        ),
    ]
