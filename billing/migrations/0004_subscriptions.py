import accounts.lib.identifiers
import accounts.lib.money
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_invitations_and_security'),
        ('billing', '0003_catalog'),
    ]

    operations = [
        migrations.CreateModel(
            name='PlanAllowance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('included_quantity', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('meter', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='billing.meter')),
                ('plan', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='allowances', to='billing.plan')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('plan', 'meter'), name='plan_allowance_once'), models.CheckConstraint(condition=models.Q(('included_quantity__gte', 0)), name='plan_allowance_not_negative')],
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
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('organization',), name='subscription_one_active'), models.CheckConstraint(condition=models.Q(('current_period_end__gt', models.F('current_period_start'))), name='subscription_period_has_length')],
            },
        ),
    ]
