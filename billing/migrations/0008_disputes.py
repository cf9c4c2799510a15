"""Disputes, the gateway's events, and what a posting needs to know to wake auto-recharge."""

import accounts.lib.identifiers
import accounts.lib.money
import django.db.models.deletion
import django.utils.timezone
from decimal import Decimal
from django.db import migrations, models

from accounts.lib.migrating import lock_first


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0007_billing_mode'),
    ]

    operations = [
        lock_first("billing_ledgeraccount", "billing_paymentmethod"),
        migrations.CreateModel(
            name='Dispute',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('gateway_reference', models.CharField(max_length=100, unique=True)),
                ('status', models.CharField(choices=[('inquiry', 'Inquiry'), ('open', 'Open'), ('won', 'Won'), ('lost', 'Lost'), ('closed', 'Closed')], default='inquiry', max_length=7)),
                ('reason', models.CharField(blank=True, max_length=60)),
                ('total', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('withdrawn_total', accounts.lib.money.AmountField(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('reinstated_total', accounts.lib.money.AmountField(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('withdrawn', accounts.lib.money.AmountField(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('reinstated', accounts.lib.money.AmountField(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('closed_at', models.DateTimeField(editable=False, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='PolledGateway',
            fields=[
                ('gateway', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('events_through', models.DateTimeField()),
                ('compared_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='ReceivedEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('gateway', models.CharField(max_length=20)),
                ('event_id', models.CharField(max_length=255)),
                ('type', models.CharField(max_length=255)),
                ('subject', models.CharField(max_length=20)),
                ('object_id', models.CharField(max_length=255)),
                ('occurred_at', models.DateTimeField()),
                ('received_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('handled_at', models.DateTimeField(editable=False, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('next_attempt_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
        ),
        migrations.AddField(
            model_name='ledgeraccount',
            name='recharge_below',
            field=accounts.lib.money.AmountField(decimal_places=9, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name='paymentmethod',
            name='expiry_announced',
            field=models.DateField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='dispute',
            name='payment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='billing.payment'),
        ),
        migrations.AddIndex(
            model_name='receivedevent',
            index=models.Index(condition=models.Q(('handled_at', None)), fields=['next_attempt_at'], name='received_event_due'),
        ),
        migrations.AddIndex(
            model_name='receivedevent',
            index=models.Index(fields=['received_at'], name='received_event_by_time'),
        ),
        migrations.AddConstraint(
            model_name='receivedevent',
            constraint=models.UniqueConstraint(fields=('gateway', 'event_id'), name='received_event_once'),
        ),
        migrations.AddIndex(
            model_name='dispute',
            index=models.Index(condition=models.Q(('status__in', ['inquiry', 'open'])), fields=['created_at'], name='dispute_undecided'),
        ),
        migrations.AddConstraint(
            model_name='dispute',
            constraint=models.CheckConstraint(condition=models.Q(('reinstated__gte', 0), ('reinstated__lte', models.F('withdrawn')), ('reinstated_total__lte', models.F('withdrawn_total')), ('withdrawn__gte', 0)), name='dispute_sums'),
        ),
    ]
