"""The rate limits of 0014 that stand with the payers' accounts are not negative."""

from django.db import migrations

TABLE = "ALTER TABLE billing_ledgeraccount"


def checked(column: str) -> list[migrations.RunSQL]:
    """The check that the type of the column brings along, by the name that it has there."""
    name = f"billing_ledgeraccount_{column}_check"
    return [
        migrations.RunSQL(statement, migrations.RunSQL.noop)
        for statement in (
            f"{TABLE} DROP CONSTRAINT IF EXISTS {name}",
            f"{TABLE} ADD CONSTRAINT {name} CHECK ({column} >= 0) NOT VALID",
            f"{TABLE} VALIDATE CONSTRAINT {name}",
        )
    ]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("billing", "0017_imported_balances")]
    operations = [*checked("rate_limit"), *checked("rate_limit_window_seconds")]
