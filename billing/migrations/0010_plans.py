"""Plans have versions, prices by currency and interval, grants and trials; subscriptions have periods."""

import accounts.lib.identifiers
import accounts.lib.money
import django.core.validators
import django.db.models.deletion
from decimal import Decimal
from django.db import migrations, models

from accounts.lib.migrating import lock_first


SOLD = """
CREATE FUNCTION billing_refuse_terms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM billing_subscription
                WHERE plan_id = CASE WHEN TG_TABLE_NAME = 'billing_plan' THEN (to_jsonb(OLD) ->> 'id')::bigint
                                     ELSE (coalesce(to_jsonb(OLD), to_jsonb(NEW)) ->> 'plan_id')::bigint END) THEN
        RAISE EXCEPTION 'this version of the plan was sold: its terms stay as they are'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER plan_sold BEFORE UPDATE ON billing_plan FOR EACH ROW
    WHEN ((OLD.slug, OLD.version, OLD.monthly_price, OLD."grant", OLD.trial_days)
          IS DISTINCT FROM (NEW.slug, NEW.version, NEW.monthly_price, NEW."grant", NEW.trial_days))
    EXECUTE FUNCTION billing_refuse_terms();
CREATE TRIGGER plan_price_sold BEFORE INSERT OR UPDATE OR DELETE ON billing_planprice
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_terms();
CREATE TRIGGER plan_allowance_sold BEFORE INSERT OR UPDATE OR DELETE ON billing_planallowance
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_terms();
"""
NOT_SOLD = """
DROP TRIGGER plan_allowance_sold ON billing_planallowance;
DROP TRIGGER plan_price_sold ON billing_planprice;
DROP TRIGGER plan_sold ON billing_plan;
DROP FUNCTION billing_refuse_terms;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0011_clock_ahead'),
        ('billing', '0009_recharge_below'),
    ]

    operations = [
        lock_first("billing_subscription", "billing_plan"),
        migrations.CreateModel(
            name='PlanPrice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('currency', models.CharField(max_length=3, validators=[django.core.validators.RegexValidator('^[A-Z]{3}$', 'Three capital letters.')])),
                ('interval', models.CharField(choices=[('month', 'Month'), ('year', 'Year')], default='month', max_length=5)),
                ('amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
            ],
            options={
                'ordering': ['plan', 'currency', 'interval'],
            },
        ),
        migrations.CreateModel(
            name='SubscriptionPeriod',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('is_trial', models.BooleanField(default=False)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('fee', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('entry_seq', models.BigIntegerField(null=True)),
            ],
            options={
                'ordering': ['subscription', 'starts_at'],
            },
        ),
        migrations.AlterModelOptions(
            name='plan',
            options={'ordering': ['monthly_price', 'slug', 'version']},
        ),
        migrations.AddField(
            model_name='plan',
            name='grant',
            field=accounts.lib.money.AmountField(db_default=Decimal('0'), decimal_places=9, default=Decimal('0'), max_digits=24),
        ),
        migrations.AddField(
            model_name='plan',
            name='trial_days',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='plan',
            name='version',
            field=models.PositiveIntegerField(db_default=1, default=1, editable=False),
        ),
        migrations.AddField(
            model_name='subscription',
            name='anchor',
            field=models.CharField(db_default='', default='', editable=False, max_length=26),
        ),
        migrations.AddField(
            model_name='subscription',
            name='ended_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='subscription',
            name='granted_through',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='subscription',
            name='interval',
            field=models.CharField(choices=[('month', 'Month'), ('year', 'Year')], db_default='month', default='month', max_length=5),
        ),
        migrations.AddField(
            model_name='subscription',
            name='next_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='subscription',
            name='next_interval',
            field=models.CharField(blank=True, choices=[('month', 'Month'), ('year', 'Year')], db_default='', default='', editable=False, max_length=5),
        ),
        migrations.AddField(
            model_name='subscription',
            name='next_plan',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.plan'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='number',
            field=models.PositiveIntegerField(db_default=1, default=1, editable=False),
        ),
        migrations.AddField(
            model_name='subscription',
            name='past_due_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='subscription',
            name='price',
            field=accounts.lib.money.AmountField(db_default=Decimal('0'), decimal_places=9, default=Decimal('0'), max_digits=24),
        ),
        migrations.AddField(
            model_name='subscription',
            name='reminded_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='plan',
            name='monthly_price',
            field=accounts.lib.money.AmountField(blank=True, decimal_places=9, default=Decimal('0'), max_digits=24, null=True),
        ),
        migrations.AlterField(
            model_name='plan',
            name='slug',
            field=models.SlugField(),
        ),
        migrations.AlterField(
            model_name='subscription',
            name='status',
            field=models.CharField(choices=[('trialing', 'Trialing'), ('active', 'Active'), ('past_due', 'Past Due'), ('canceled', 'Canceled')], default='active', max_length=8),
        ),
        migrations.AddConstraint(
            model_name='plan',
            constraint=models.UniqueConstraint(fields=('slug', 'version'), name='plan_version_once'),
        ),
        migrations.AddConstraint(
            model_name='plan',
            constraint=models.UniqueConstraint(condition=models.Q(('is_offered', True)), fields=('slug',), name='plan_offered_once'),
        ),
        migrations.AddConstraint(
            model_name='plan',
            constraint=models.CheckConstraint(condition=models.Q(('grant__gte', 0)), name='plan_grant_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='plan',
            constraint=models.CheckConstraint(condition=models.Q(('trial_days__lte', 365)), name='plan_trial_at_most_a_year'),
        ),
        migrations.AddField(
            model_name='planprice',
            name='plan',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='prices', to='billing.plan'),
        ),
        migrations.AddField(
            model_name='subscriptionperiod',
            name='plan',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.plan'),
        ),
        migrations.AddField(
            model_name='subscriptionperiod',
            name='subscription',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='periods', to='billing.subscription'),
        ),
        migrations.AddConstraint(
            model_name='planprice',
            constraint=models.UniqueConstraint(fields=('plan', 'currency', 'interval'), name='plan_price_once'),
        ),
        migrations.AddConstraint(
            model_name='planprice',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gte', 0)), name='plan_price_amount_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='subscriptionperiod',
            constraint=models.UniqueConstraint(fields=('subscription', 'starts_at'), name='subscription_period_once'),
        ),
        migrations.AddConstraint(
            model_name='subscriptionperiod',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='subscription_period_length'),
        ),
        migrations.AddConstraint(
            model_name='subscriptionperiod',
            constraint=models.CheckConstraint(condition=models.Q(('fee__gte', 0)), name='subscription_period_fee_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='subscriptionperiod',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('entry_seq', None), ('fee', 0)), models.Q(('entry_seq__isnull', False), ('fee__gt', 0)), _connector='OR'), name='subscription_period_fee_posted'),
        ),
        migrations.RunSQL(SOLD, NOT_SOLD),
    ]
