"""Months that are closed, and what was used in them. A late event says in which month it is billed."""

import accounts.lib.money
import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q

# Null in all events that are there: without a close, none is late. So no row is rewritten.
BILLED_IN = "ALTER TABLE usage_event ADD COLUMN IF NOT EXISTS billed_in date"

# Django takes `id` for the primary key; in the database the payer leads it, as it leads every key of usage.
PAYER_FIRST = """
ALTER TABLE usage_monthlyusage DROP CONSTRAINT usage_monthlyusage_pkey, ADD PRIMARY KEY (account_id, id);
"""

FROZEN = """
CREATE FUNCTION usage_refuse_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is frozen: what is wrong in a closed month is corrected in a later one', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER usage_monthlyusage_frozen BEFORE UPDATE OR DELETE ON usage_monthlyusage
    FOR EACH ROW EXECUTE FUNCTION usage_refuse_frozen();
CREATE TRIGGER usage_monthlyusage_no_truncate BEFORE TRUNCATE ON usage_monthlyusage
    FOR EACH STATEMENT EXECUTE FUNCTION usage_refuse_frozen();
CREATE TRIGGER usage_monthclose_frozen BEFORE UPDATE OR DELETE ON usage_monthclose
    FOR EACH ROW WHEN (OLD.status = 'done') EXECUTE FUNCTION usage_refuse_frozen();
CREATE TRIGGER usage_monthclose_no_truncate BEFORE TRUNCATE ON usage_monthclose
    FOR EACH STATEMENT EXECUTE FUNCTION usage_refuse_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_webhooks"),
        ("billing", "0005_invoices"),
        ("usage", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="MonthClose",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField()),
                ("starts_at", models.DateTimeField(null=True)),
                ("ends_at", models.DateTimeField()),
                (
                    "status",
                    models.CharField(
                        choices=[("started", "Started"), ("done", "Done")], default="started", max_length=7
                    ),
                ),
                ("opening", accounts.lib.money.AmountField(decimal_places=9, max_digits=24, null=True)),
                ("closing", accounts.lib.money.AmountField(decimal_places=9, max_digits=24, null=True)),
                ("started_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="closes",
                        to="billing.ledgeraccount",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("account", "month"), name="month_close_once"),
                    models.CheckConstraint(
                        condition=Q(starts_at=None) | Q(starts_at__lt=F("ends_at")), name="month_close_has_length"
                    ),
                    models.CheckConstraint(
                        condition=Q(status="started", opening=None, closing=None, done_at=None)
                        | Q(status="done", opening__isnull=False, closing__isnull=False, done_at__isnull=False),
                        name="month_close_figures",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MonthlyUsage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account_id", models.UUIDField()),
                ("month", models.DateField()),
                ("occurred_in", models.DateField()),
                ("requests", models.BigIntegerField()),
                ("failed", models.BigIntegerField()),
                ("quantity", models.DecimalField(decimal_places=9, max_digits=34)),
                ("credits", models.DecimalField(decimal_places=9, max_digits=34)),
                (
                    "meter",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="billing.meter",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "monthly usage",
                "indexes": [models.Index(fields=["id"], name="monthly_usage_by_id")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account_id", "month", "organization", "meter", "occurred_in"),
                        name="monthly_usage_once",
                    ),
                    models.CheckConstraint(
                        condition=Q(occurred_in__lte=F("month")), name="monthly_usage_occurred_before"
                    ),
                ],
            },
        ),
        migrations.RunSQL(PAYER_FIRST, migrations.RunSQL.noop),
        migrations.RunSQL(FROZEN, migrations.RunSQL.noop),
        migrations.RunSQL(BILLED_IN, migrations.RunSQL.noop),
    ]
