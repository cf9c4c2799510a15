"""Seals of the ledger. Entries that are there already are sealed by the sweep, in the order of their accounts."""

import django.db.models.deletion
from django.db import migrations, models

IMMUTABLE = """
CREATE TRIGGER ledger_seal_immutable BEFORE UPDATE OR DELETE ON billing_ledgerseal
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER ledger_seal_no_truncate BEFORE TRUNCATE ON billing_ledgerseal
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0014_plan_rate_limits")]

    operations = [
        migrations.CreateModel(
            name="LedgerSeal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first_seq", models.BigIntegerField()),
                ("last_seq", models.BigIntegerField()),
                ("digests", models.BinaryField(editable=False)),
                ("sealed_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="seals",
                        to="billing.ledgeraccount",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("account", "last_seq"), name="ledger_seal_once"),
                    models.CheckConstraint(
                        condition=models.Q(("first_seq__gte", 1), ("last_seq__gte", models.F("first_seq"))),
                        name="ledger_seal_range",
                    ),
                ],
            },
        ),
        migrations.RunSQL(IMMUTABLE, migrations.RunSQL.noop),
    ]
