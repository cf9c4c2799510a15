import accounts.lib.identifiers
import accounts.lib.money
import django.db.models.deletion
import django.utils.timezone
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
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
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('reserved__gte', 0)), name='ledger_account_reserved_not_negative'), models.CheckConstraint(condition=models.Q(('credit_limit__gte', 0)), name='ledger_account_limit_not_negative'), models.CheckConstraint(condition=models.Q(('seq__gte', 0)), name='ledger_account_seq_not_negative')],
            },
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
            name='Price',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('unit_amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('meter', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='price', to='billing.meter')),
            ],
        ),
        migrations.CreateModel(
            name='Hold',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('captured', accounts.lib.money.AmountField(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('status', models.CharField(choices=[('open', 'Open'), ('captured', 'Captured'), ('released', 'Released'), ('expired', 'Expired')], default='open', max_length=8)),
                ('reference', models.CharField(blank=True, max_length=100)),
                ('metadata', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='billing.ledgeraccount')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='hold_amount_positive')],
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
                ('created_at', models.DateTimeField()),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='billing.ledgeraccount')),
            ],
            options={
                'verbose_name_plural': 'ledger entries',
                'indexes': [models.Index(fields=['account', 'created_at'], name='ledger_entry_by_time')],
                'constraints': [models.UniqueConstraint(fields=('account', 'seq'), name='ledger_entry_seq'), models.UniqueConstraint(fields=('account', 'idempotency_key'), name='ledger_entry_idempotency_key'), models.CheckConstraint(condition=models.Q(('seq__gte', 1)), name='ledger_entry_seq_positive'), models.CheckConstraint(condition=models.Q(('amount', 0), _negated=True), name='ledger_entry_amount_not_zero'), models.CheckConstraint(condition=models.Q(('amount__gt', 0), models.Q(('kind__in', ['purchase', 'grant']), _negated=True), _connector='OR'), name='ledger_entry_credits_raise'), models.CheckConstraint(condition=models.Q(('amount__lt', 0), ('kind__in', ['purchase', 'grant', 'reversal', 'adjustment']), _connector='OR'), name='ledger_entry_debits_lower')],
            },
        ),
        migrations.AddConstraint(
            model_name='paymentmethod',
            constraint=models.UniqueConstraint(condition=models.Q(('is_default', True)), fields=('organization',), name='payment_method_one_default'),
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
            model_name='price',
            constraint=models.CheckConstraint(condition=models.Q(('unit_amount__gte', 0)), name='price_not_negative'),
        ),
    ]
