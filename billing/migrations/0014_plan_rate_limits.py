"""A plan may have a rate limit. It is one of its terms, and stands with the payer's account, too, where the gate reads.

There are few plans, so checking them takes no time, and it all is one transaction. There are many payers, so their
accounts are checked by 0018, which blocks nobody.
"""

import django.core.validators
from django.db import migrations, models
from django.db.migrations import SeparateDatabaseAndState
from django.db.models import Q

from accounts.lib.migrating import lock_first

TERMS = """
DROP TRIGGER plan_sold ON billing_plan;
CREATE TRIGGER plan_sold BEFORE UPDATE ON billing_plan FOR EACH ROW
    WHEN (({old}) IS DISTINCT FROM ({new})) EXECUTE FUNCTION billing_refuse_terms();
"""
BEFORE = ("slug", "version", "monthly_price", '"grant"', "trial_days")
AFTER = (*BEFORE, "rate_limit", "rate_limit_window_seconds")


def terms(columns: tuple[str, ...]) -> str:
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return TERMS.format(old=old, new=new)


def limit() -> models.PositiveIntegerField:
    return models.PositiveIntegerField(null=True, blank=True, validators=[django.core.validators.MinValueValidator(1)])


def unchecked(column: str) -> SeparateDatabaseAndState:
    """A column of the payers' accounts, without the check that its type brings along."""
    table = "ALTER TABLE billing_ledgeraccount"
    add = migrations.RunSQL(f"{table} ADD COLUMN {column} integer NULL", f"{table} DROP COLUMN {column}")
    field = migrations.AddField("ledgeraccount", column, models.PositiveIntegerField(null=True))
    return SeparateDatabaseAndState([add], [field])


class Migration(migrations.Migration):
    dependencies = [("billing", "0013_credit_notes_of_disputes")]

    operations = [
        lock_first("billing_ledgeraccount", "billing_plan"),
        migrations.AddField("plan", "rate_limit", limit()),
        migrations.AddField("plan", "rate_limit_window_seconds", limit()),
        *[unchecked(name) for name in ("rate_limit", "rate_limit_window_seconds")],
        migrations.AddConstraint(
            "plan",
            models.CheckConstraint(
                condition=Q(rate_limit=None, rate_limit_window_seconds=None)
                | Q(
                    rate_limit__isnull=False,
                    rate_limit_window_seconds__isnull=False,
                    rate_limit__range=(1, 1_000_000),
                    rate_limit_window_seconds__range=(1, 86_400),
                ),
                name="plan_rate_limit_complete",
                violation_error_message="Give both, a rate limit up to 1,000,000 and a window up to a day, or neither.",
            ),
        ),
        migrations.RunSQL(terms(AFTER), terms(BEFORE)),
    ]
