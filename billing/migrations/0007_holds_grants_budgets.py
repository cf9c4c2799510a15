import accounts.lib.identifiers
import accounts.lib.money
import django.db.models.deletion
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_budgets_and_events'),
        ('apikeys', '0003_budgets_and_rate_windows'),
        ('billing', '0006_removed_cards'),
    ]

    operations = [
        migrations.CreateModel(
            name='EndpointPrice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('endpoint', models.CharField(max_length=2000)),
                ('unit_amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
            ],
            options={
                'ordering': ['meter', 'endpoint'],
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
                ('created_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='PriceTier',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('up_to', accounts.lib.money.AmountField(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('unit_amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
            ],
            options={
                'ordering': ['price', models.OrderBy(models.F('up_to'), nulls_last=True)],
            },
        ),
        migrations.CreateModel(
            name='Spending',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account_id', models.UUIDField()),
                ('subject', models.UUIDField()),
                ('month', models.DateField()),
                ('spent', accounts.lib.money.AmountField(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('alerted', models.PositiveSmallIntegerField(db_default=0, default=0)),
            ],
        ),
        migrations.AddField(
            model_name='hold',
            name='entry_seq',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='hold',
            name='key',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='apikeys.apikey'),
        ),
        migrations.AddField(
            model_name='hold',
            name='purpose',
            field=models.CharField(choices=[('hold', 'Hold'), ('lease', 'Lease')], db_default='hold', default='hold', max_length=5),
        ),
        migrations.AddField(
            model_name='hold',
            name='resolved_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='hold',
            name='spend_until',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='ledgeraccount',
            name='closed_through',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='ledgeraccount',
            name='due_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='ledgeraccount',
            name='is_low',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='ledgeraccount',
            name='low_balance',
            field=accounts.lib.money.AmountField(decimal_places=9, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='actor',
            field=models.CharField(blank=True, db_default='', default='', max_length=40),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='reverses_seq',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='endpointprice',
            name='meter',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='endpoint_prices', to='billing.meter'),
        ),
        migrations.AddField(
            model_name='grant',
            name='account',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='grants', to='billing.ledgeraccount'),
        ),
        migrations.AddField(
            model_name='pricetier',
            name='price',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tiers', to='billing.price'),
        ),
        migrations.AddConstraint(
            model_name='spending',
            constraint=models.UniqueConstraint(fields=('account_id', 'subject', 'month'), name='spending_once'),
        ),
        migrations.AddConstraint(
            model_name='spending',
            constraint=models.CheckConstraint(condition=models.Q(('alerted__in', [0, 50, 80, 100])), name='spending_alerted'),
        ),
        migrations.AddConstraint(
            model_name='endpointprice',
            constraint=models.UniqueConstraint(fields=('meter', 'endpoint'), name='endpoint_price_once'),
        ),
        migrations.AddConstraint(
            model_name='endpointprice',
            constraint=models.CheckConstraint(condition=models.Q(('unit_amount__gte', 0)), name='endpoint_price_not_negative'),
        ),
        migrations.AddIndex(
            model_name='grant',
            index=models.Index(condition=models.Q(('remaining__gt', 0)), fields=['account', 'priority', 'expires_at', 'created_at'], name='grant_to_burn'),
        ),
        migrations.AddConstraint(
            model_name='grant',
            constraint=models.UniqueConstraint(fields=('account', 'entry_seq'), name='grant_of_entry'),
        ),
        migrations.AddConstraint(
            model_name='grant',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='grant_amount_positive'),
        ),
        migrations.AddConstraint(
            model_name='grant',
            constraint=models.CheckConstraint(condition=models.Q(('remaining__gte', 0), ('remaining__lte', models.F('amount'))), name='grant_remaining'),
        ),
        migrations.AddConstraint(
            model_name='grant',
            constraint=models.CheckConstraint(condition=models.Q(('priority__lte', 100)), name='grant_priority'),
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
    ]
