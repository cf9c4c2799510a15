import accounts.lib.identifiers
import accounts.lib.jsonb
import accounts.lib.money
import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from decimal import Decimal
from django.db import migrations, models


IMMUTABLE = """
CREATE FUNCTION billing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: a mistake is corrected by a reversal', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ledger_entry_immutable BEFORE UPDATE OR DELETE ON billing_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER ledger_entry_no_truncate BEFORE TRUNCATE ON billing_ledgerentry
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
"""

# Billing accounts and ledger accounts belong to roots: organizations that are their own root.
ROOTS_ONLY = """
ALTER TABLE billing_billingaccount ADD CONSTRAINT billing_account_on_root
    FOREIGN KEY (organization_id, organization_id) REFERENCES accounts_organization (id, root_id);
ALTER TABLE billing_ledgeraccount ADD CONSTRAINT ledger_account_on_root
    FOREIGN KEY (organization_id, organization_id) REFERENCES accounts_organization (id, root_id);
"""

# The payer leads every key of a hot table, so that the tables can be distributed by payer one day. Django takes `id` for
# the primary key all the same: the admin can't show a model with a composite one.
PAYER_LEADS = """
ALTER TABLE billing_ledgerentry DROP CONSTRAINT billing_ledgerentry_pkey,
    ADD CONSTRAINT ledger_entry_seq PRIMARY KEY (account_id, seq);
ALTER TABLE billing_hold DROP CONSTRAINT billing_hold_pkey,
    ADD CONSTRAINT hold_of_account PRIMARY KEY (account_id, purpose, id);
ALTER TABLE billing_grant DROP CONSTRAINT billing_grant_pkey,
    ADD CONSTRAINT grant_of_entry PRIMARY KEY (account_id, entry_seq);
"""

# Every posting rewrites its account's row, and every batch its budgets': room on the page keeps such an update off the
# indexes (HOT).
ROOM = """
ALTER TABLE billing_ledgeraccount SET (fillfactor = 50);
ALTER TABLE billing_spending SET (fillfactor = 70);
ALTER TABLE billing_grant SET (fillfactor = 70);
ALTER TABLE billing_hold SET (fillfactor = 70);
"""

METERS = [
    ("requests", "Requests", "request", Decimal("0.001")),
    ("sms", "SMS", "message", Decimal("0.01")),
    ("voice", "Voice", "minute", Decimal("0.02")),
]


def seed(apps, schema_editor):
    """What a fresh installation sells: three meters with their prices, and the free plan."""
    Meter, Price = apps.get_model("billing", "Meter"), apps.get_model("billing", "Price")
    for slug, name, unit, amount in METERS:
        meter = Meter.objects.create(slug=slug, name=name, unit=unit)
        Price.objects.create(meter=meter, unit_amount=amount)
    apps.get_model("billing", "Plan").objects.create(
        slug="developer", name="Developer", description="Free. Pay for what you use, with credits."
    )



class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('apikeys', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Meter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(unique=True)),
                ('name', models.CharField(max_length=100)),
                ('unit', models.CharField(max_length=30)),
            ],
            options={
                'ordering': ['slug'],
            },
        ),
        migrations.CreateModel(
            name='BillingAccount',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('public_id', models.CharField(default=accounts.lib.identifiers.billing_account_id, editable=False, max_length=18, unique=True)),
                ('name', models.CharField(max_length=100)),
                ('email', models.EmailField(max_length=250)),
                ('currency', models.CharField(blank=True, editable=False, max_length=3)),
                ('country', models.CharField(max_length=2)),
                ('city', models.CharField(blank=True, max_length=50)),
                ('line1', models.CharField(blank=True, max_length=100)),
                ('line2', models.CharField(blank=True, max_length=100)),
                ('postal_code', models.CharField(blank=True, max_length=10)),
                ('state', models.CharField(blank=True, max_length=50)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('closed_at', models.DateTimeField(editable=False, null=True)),
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='billing_account', to='accounts.organization')),
            ],
        ),
        migrations.CreateModel(
            name='LedgerAccount',
            fields=[
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='ledger_account', serialize=False, to='accounts.organization')),
                ('balance', accounts.lib.money.AmountField(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('reserved', accounts.lib.money.AmountField(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('credit_limit', accounts.lib.money.AmountField(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('seq', models.BigIntegerField(default=0)),
                ('due_at', models.DateTimeField(null=True)),
                ('closed_through', models.DateTimeField(null=True)),
                ('low_balance', accounts.lib.money.AmountField(decimal_places=9, max_digits=24, null=True)),
                ('is_low', models.BooleanField(db_default=False, default=False)),
                ('zones', models.JSONField(db_default=models.Value([], models.JSONField()), default=list)),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('due_at__isnull', False)), fields=['due_at'], name='ledger_account_due'), models.Index(condition=models.Q(('low_balance__isnull', False), ('is_low', True), _connector='OR'), fields=['organization'], name='ledger_account_watched')],
                'constraints': [models.CheckConstraint(condition=models.Q(('reserved__gte', 0)), name='ledger_account_reserved_not_negative'), models.CheckConstraint(condition=models.Q(('credit_limit__gte', 0)), name='ledger_account_limit_not_negative'), models.CheckConstraint(condition=models.Q(('seq__gte', 0)), name='ledger_account_seq_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='Move',
            fields=[
                ('pk', models.CompositePrimaryKey('account_id', 'number', blank=True, editable=False, primary_key=True, serialize=False)),
                ('account_id', models.UUIDField()),
                ('number', models.BigIntegerField()),
                ('organization_id', models.UUIDField()),
                ('path_before', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ('path_after', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ('seq', models.BigIntegerField()),
                ('moved_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='PaymentMethod',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('gateway', models.CharField(max_length=20)),
                ('gateway_token', models.CharField(max_length=100)),
                ('brand', models.CharField(max_length=20)),
                ('last4', models.CharField(max_length=4)),
                ('exp_month', models.PositiveSmallIntegerField()),
                ('exp_year', models.PositiveSmallIntegerField()),
                ('is_default', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('removed_at', models.DateTimeField(editable=False, null=True)),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='payment_methods', to='accounts.organization')),
            ],
        ),
        migrations.CreateModel(
            name='Payment',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('currency', models.CharField(max_length=3)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('action_required', 'Action Required'), ('succeeded', 'Succeeded'), ('failed', 'Failed')], default='pending', max_length=15)),
                ('failure_code', models.CharField(blank=True, max_length=60)),
                ('next_action_url', models.URLField(blank=True, max_length=500)),
                ('gateway_reference', models.CharField(blank=True, max_length=100)),
                ('created_by', models.CharField(blank=True, max_length=40)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('settled_at', models.DateTimeField(editable=False, null=True)),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='accounts.organization')),
                ('method', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='billing.paymentmethod')),
            ],
        ),
        migrations.CreateModel(
            name='AutoRecharge',
            fields=[
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='auto_recharge', serialize=False, to='accounts.organization')),
                ('enabled', models.BooleanField(default=False)),
                ('threshold', accounts.lib.money.AmountField(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('amount', accounts.lib.money.AmountField(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('target', accounts.lib.money.AmountField(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('monthly_limit', accounts.lib.money.AmountField(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('monthly_count', models.PositiveIntegerField(blank=True, null=True)),
                ('payment_method', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='billing.paymentmethod')),
            ],
        ),
        migrations.CreateModel(
            name='SandboxObject',
            fields=[
                ('id', models.CharField(max_length=60, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=10)),
                ('body', models.JSONField()),
                ('idempotency_key', models.CharField(max_length=200, null=True, unique=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'indexes': [models.Index(fields=['kind', 'created_at'], name='sandbox_object_of_kind')],
            },
        ),
        migrations.CreateModel(
            name='Plan',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(unique=True)),
                ('name', models.CharField(max_length=100)),
                ('description', models.CharField(blank=True, max_length=500)),
                ('monthly_price', accounts.lib.money.AmountField(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('is_offered', models.BooleanField(default=True)),
            ],
            options={
                'ordering': ['monthly_price', 'slug'],
                'constraints': [models.CheckConstraint(condition=models.Q(('monthly_price__gte', 0)), name='plan_price_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='PlanAllowance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('included_quantity', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('meter', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='billing.meter')),
                ('plan', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='allowances', to='billing.plan')),
            ],
        ),
        migrations.CreateModel(
            name='Price',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('unit_amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('meter', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='price', to='billing.meter')),
            ],
        ),
        migrations.CreateModel(
            name='PriceTier',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('up_to', accounts.lib.money.AmountField(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('unit_amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('price', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tiers', to='billing.price')),
            ],
            options={
                'ordering': ['price', models.OrderBy(models.F('up_to'), nulls_last=True)],
            },
        ),
        migrations.CreateModel(
            name='Spending',
            fields=[
                ('pk', models.CompositePrimaryKey('account_id', 'subject', 'month', blank=True, editable=False, primary_key=True, serialize=False)),
                ('account_id', models.UUIDField()),
                ('subject', models.UUIDField()),
                ('month', models.DateField()),
                ('spent', accounts.lib.money.AmountField(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('alerted', models.PositiveSmallIntegerField(db_default=0, default=0)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('alerted__gt', 0)), fields=['account_id'], name='spending_announced')],
                'constraints': [models.CheckConstraint(condition=models.Q(('alerted__in', [0, 50, 80, 100])), name='spending_alerted')],
            },
        ),
        migrations.CreateModel(
            name='Subscription',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('active', 'Active'), ('canceled', 'Canceled')], default='active', max_length=8)),
                ('current_period_start', models.DateTimeField()),
                ('current_period_end', models.DateTimeField()),
                ('cancel_at_period_end', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='subscriptions', to='accounts.organization')),
                ('plan', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='subscriptions', to='billing.plan')),
            ],
        ),
        migrations.CreateModel(
            name='Hold',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('purpose', models.CharField(choices=[('hold', 'Hold'), ('lease', 'Lease')], db_default='hold', default='hold', max_length=5)),
                ('by_platform', models.BooleanField(db_default=False, default=False)),
                ('amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('captured', accounts.lib.money.AmountField(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('status', models.CharField(choices=[('open', 'Open'), ('captured', 'Captured'), ('released', 'Released'), ('expired', 'Expired')], default='open', max_length=8)),
                ('reference', models.CharField(blank=True, max_length=100)),
                ('metadata', models.JSONField(decoder=accounts.lib.jsonb.Decoder, default=dict, encoder=accounts.lib.jsonb.Encoder)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('spend_until', models.DateTimeField(null=True)),
                ('resolved_at', models.DateTimeField(null=True)),
                ('late', models.BooleanField(db_default=False, default=False)),
                ('entry_seq', models.BigIntegerField(null=True)),
                ('key', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='apikeys.apikey')),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='billing.ledgeraccount')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('status', 'open')), fields=['account', 'expires_at'], name='hold_open_by_expiry'), models.Index(fields=['id'], name='hold_by_id')],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='hold_amount_positive'), models.CheckConstraint(condition=models.Q(('captured__gte', 0)), name='hold_captured_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='Grant',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('entry_seq', models.BigIntegerField()),
                ('category', models.CharField(choices=[('paid', 'Paid'), ('promotional', 'Promotional')], max_length=11)),
                ('priority', models.PositiveSmallIntegerField(default=50)),
                ('amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('remaining', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('expires_at', models.DateTimeField(null=True)),
                ('kept', models.BooleanField(db_default=False, default=False)),
                ('created_at', models.DateTimeField()),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='grants', to='billing.ledgeraccount')),
            ],
            options={
                'indexes': [models.Index(fields=['id'], name='grant_by_id'), models.Index(condition=models.Q(('remaining__gt', 0)), fields=['account', 'priority', 'expires_at', 'created_at'], name='grant_to_burn')],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='grant_amount_positive'), models.CheckConstraint(condition=models.Q(('remaining__gte', 0), ('remaining__lte', models.F('amount'))), name='grant_remaining'), models.CheckConstraint(condition=models.Q(('priority__lte', 100)), name='grant_priority')],
            },
        ),
        migrations.CreateModel(
            name='LedgerEntry',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('seq', models.BigIntegerField()),
                ('kind', models.CharField(choices=[('purchase', 'Purchase'), ('grant', 'Grant'), ('usage', 'Usage'), ('subscription', 'Subscription'), ('capture', 'Capture'), ('refund', 'Refund'), ('chargeback', 'Chargeback'), ('expiry', 'Expiry'), ('reversal', 'Reversal'), ('adjustment', 'Adjustment')], max_length=12)),
                ('amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('balance_after', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('description', models.CharField(blank=True, max_length=200)),
                ('reference', models.CharField(blank=True, max_length=100)),
                ('metadata', models.JSONField(default=dict)),
                ('idempotency_key', models.CharField(max_length=100, null=True)),
                ('reverses_seq', models.BigIntegerField(null=True)),
                ('actor', models.CharField(blank=True, db_default='', default='', max_length=40)),
                ('created_at', models.DateTimeField()),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='billing.ledgeraccount')),
            ],
            options={
                'verbose_name_plural': 'ledger entries',
                'indexes': [models.Index(fields=['id'], name='ledger_entry_by_id'), models.Index(fields=['account', 'created_at'], name='ledger_entry_by_time')],
                'constraints': [models.UniqueConstraint(fields=('account', 'idempotency_key'), name='ledger_entry_idempotency_key'), models.UniqueConstraint(condition=models.Q(('reverses_seq__isnull', False)), fields=('account', 'reverses_seq'), name='ledger_entry_reversed_once'), models.CheckConstraint(condition=models.Q(('seq__gte', 1)), name='ledger_entry_seq_positive'), models.CheckConstraint(condition=models.Q(('amount', 0), _negated=True), name='ledger_entry_amount_not_zero'), models.CheckConstraint(condition=models.Q(('amount__gt', 0), models.Q(('kind__in', ['purchase', 'grant']), _negated=True), _connector='OR'), name='ledger_entry_credits_raise'), models.CheckConstraint(condition=models.Q(('amount__lt', 0), ('kind__in', ['purchase', 'grant', 'reversal', 'adjustment']), _connector='OR'), name='ledger_entry_debits_lower')],
            },
        ),
        migrations.CreateModel(
            name='EndpointPrice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('endpoint', models.CharField(max_length=2000)),
                ('unit_amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('meter', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='endpoint_prices', to='billing.meter')),
            ],
            options={
                'ordering': ['meter', 'endpoint'],
                'constraints': [models.UniqueConstraint(fields=('meter', 'endpoint'), name='endpoint_price_once'), models.CheckConstraint(condition=models.Q(('unit_amount__gte', 0)), name='endpoint_price_not_negative')],
            },
        ),
        migrations.AddConstraint(
            model_name='paymentmethod',
            constraint=models.UniqueConstraint(condition=models.Q(('is_default', True)), fields=('organization',), name='payment_method_one_default'),
        ),
        migrations.AddConstraint(
            model_name='paymentmethod',
            constraint=models.CheckConstraint(condition=models.Q(('is_default', False), ('removed_at', None), _connector='OR'), name='payment_method_removed_is_no_default'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(fields=['organization', '-created_at'], name='payment_of_organization'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['created_at'], name='payment_pending'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='payment_amount_positive'),
        ),
        migrations.AddConstraint(
            model_name='autorecharge',
            constraint=models.CheckConstraint(condition=models.Q(('amount', None), ('target', None), _connector='OR'), name='auto_recharge_amount_or_target'),
        ),
        migrations.AddConstraint(
            model_name='autorecharge',
            constraint=models.CheckConstraint(condition=models.Q(('enabled', False), models.Q(('threshold__isnull', False), models.Q(('amount__isnull', False), ('target__isnull', False), _connector='OR')), _connector='OR'), name='auto_recharge_enabled_is_complete'),
        ),
        migrations.AddConstraint(
            model_name='planallowance',
            constraint=models.UniqueConstraint(fields=('plan', 'meter'), name='plan_allowance_once'),
        ),
        migrations.AddConstraint(
            model_name='planallowance',
            constraint=models.CheckConstraint(condition=models.Q(('included_quantity__gte', 0)), name='plan_allowance_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=models.CheckConstraint(condition=models.Q(('unit_amount__gte', 0)), name='price_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='pricetier',
            constraint=models.UniqueConstraint(fields=('price', 'up_to'), name='price_tier_once', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='pricetier',
            constraint=models.CheckConstraint(condition=models.Q(('up_to', None), ('up_to__gt', 0), _connector='OR'), name='price_tier_has_units'),
        ),
        migrations.AddConstraint(
            model_name='pricetier',
            constraint=models.CheckConstraint(condition=models.Q(('unit_amount__gte', 0)), name='price_tier_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('organization',), name='subscription_one_active'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(('current_period_end__gt', models.F('current_period_start'))), name='subscription_period_has_length'),
        ),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(PAYER_LEADS)],
            [
                migrations.AddConstraint('ledgerentry', models.UniqueConstraint(fields=('account', 'seq'), name='ledger_entry_seq')),
                migrations.AddConstraint('hold', models.UniqueConstraint(fields=('account', 'purpose', 'id'), name='hold_of_account')),
                migrations.AddConstraint('grant', models.UniqueConstraint(fields=('account', 'entry_seq'), name='grant_of_entry')),
            ],
        ),
        migrations.RunSQL(IMMUTABLE),
        migrations.RunSQL(ROOTS_ONLY),
        migrations.RunSQL(ROOM),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
