"""Payments as create, remember, confirm: what a gateway knows them by, and what became of them.

New columns have defaults in the database, so that the release before may go on writing.
"""

import accounts.lib.identifiers
import accounts.lib.money
import django.db.models.deletion
import django.utils.timezone
from decimal import Decimal
from django.db import migrations, models

from accounts.lib.migrating import lock_first


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0007_organization_modified_at'),
        ('billing', '0001_initial'),
    ]

    operations = [
        lock_first("billing_paymentmethod", "billing_autorecharge", "billing_payment"),
        migrations.CreateModel(
            name='GatewayCustomer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('gateway', models.CharField(max_length=20)),
                ('customer', models.CharField(max_length=100)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
        ),
        migrations.CreateModel(
            name='Refund',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('succeeded', 'Succeeded'), ('failed', 'Failed')], default='pending', max_length=9)),
                ('amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('total', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('reason', models.CharField(max_length=200)),
                ('actor', models.CharField(blank=True, max_length=40)),
                ('gateway_reference', models.CharField(blank=True, max_length=100)),
                ('failure_code', models.CharField(blank=True, max_length=60)),
                ('entry_seq', models.BigIntegerField()),
                ('next_attempt_at', models.DateTimeField(editable=False, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
        ),
        migrations.AddField(
            model_name='autorecharge',
            name='announced',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='autorecharge',
            name='announced_month',
            field=models.DateField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='autorecharge',
            name='consent',
            field=models.TextField(blank=True, db_default='', default=''),
        ),
        migrations.AddField(
            model_name='autorecharge',
            name='consent_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='autorecharge',
            name='consent_by',
            field=models.CharField(blank=True, db_default='', default='', max_length=40),
        ),
        migrations.AddField(
            model_name='autorecharge',
            name='failed_rounds',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='autorecharge',
            name='next_attempt_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='autorecharge',
            name='paused',
            field=models.CharField(blank=True, db_default='', default='', max_length=30),
        ),
        migrations.AddField(
            model_name='payment',
            name='attempts',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='payment',
            name='confirmations',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='payment',
            name='decline_code',
            field=models.CharField(blank=True, db_default='', default='', max_length=60),
        ),
        migrations.AddField(
            model_name='payment',
            name='disputed',
            field=accounts.lib.money.AmountField(db_default=Decimal('0'), decimal_places=9, default=Decimal('0'), max_digits=24),
        ),
        migrations.AddField(
            model_name='payment',
            name='expires_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='payment',
            name='gateway',
            field=models.CharField(blank=True, db_default='', default='', max_length=20),
        ),
        migrations.AddField(
            model_name='payment',
            name='intent',
            field=models.CharField(blank=True, db_default='', default='', max_length=100),
        ),
        migrations.AddField(
            model_name='payment',
            name='next_attempt_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='payment',
            name='problem',
            field=models.CharField(blank=True, db_default='', default='', max_length=20),
        ),
        migrations.AddField(
            model_name='payment',
            name='purpose',
            field=models.CharField(choices=[('purchase', 'Purchase'), ('recharge', 'Recharge'), ('invoice', 'Invoice')], db_default='purchase', default='purchase', max_length=8),
        ),
        migrations.AddField(
            model_name='payment',
            name='refunded',
            field=accounts.lib.money.AmountField(db_default=Decimal('0'), decimal_places=9, default=Decimal('0'), max_digits=24),
        ),
        migrations.AddField(
            model_name='payment',
            name='replaces',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.payment'),
        ),
        migrations.AddField(
            model_name='payment',
            name='session',
            field=models.CharField(blank=True, db_default='', default='', max_length=100),
        ),
        migrations.AddField(
            model_name='payment',
            name='tax',
            field=accounts.lib.money.AmountField(db_default=Decimal('0'), decimal_places=9, default=Decimal('0'), max_digits=24),
        ),
        migrations.AddField(
            model_name='paymentmethod',
            name='consent',
            field=models.TextField(blank=True, db_default='', default=''),
        ),
        migrations.AddField(
            model_name='paymentmethod',
            name='consent_by',
            field=models.CharField(blank=True, db_default='', default='', max_length=40),
        ),
        migrations.AddField(
            model_name='paymentmethod',
            name='declined_code',
            field=models.CharField(blank=True, db_default='', default='', max_length=60),
        ),
        migrations.AddField(
            model_name='paymentmethod',
            name='fingerprint',
            field=models.CharField(blank=True, db_default='', default='', max_length=64),
        ),
        migrations.AddField(
            model_name='paymentmethod',
            name='is_backup',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name='payment',
            name='method',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='billing.paymentmethod'),
        ),
        migrations.AlterField(
            model_name='payment',
            name='next_action_url',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='gatewaycustomer',
            name='organization',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization'),
        ),
        migrations.AddField(
            model_name='refund',
            name='payment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='billing.payment'),
        ),
        migrations.AddConstraint(
            model_name='gatewaycustomer',
            constraint=models.UniqueConstraint(fields=('organization', 'gateway'), name='gateway_customer_once'),
        ),
        migrations.AddIndex(
            model_name='refund',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['next_attempt_at'], name='refund_pending'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('total__gt', 0)), name='refund_positive'),
        ),
    ]
