import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_budgets_and_events'),
        ('billing', '0007_holds_grants_budgets'),
        ('usage', '0002_usage_events'),
    ]

    operations = [
        migrations.CreateModel(
            name='RetiredPartition',
            fields=[
                ('month', models.DateField(primary_key=True, serialize=False)),
                ('retired_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name='EventVoid',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_id', models.CharField(max_length=100)),
                ('recorded_at', models.DateTimeField()),
                ('entry_seq', models.BigIntegerField(null=True)),
                ('reason', models.CharField(max_length=200)),
                ('actor', models.CharField(max_length=40)),
                ('created_at', models.DateTimeField()),
                ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('organization', 'event_id', 'recorded_at'), name='event_void_once')],
            },
        ),
        migrations.CreateModel(
            name='Volume',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account_id', models.UUIDField()),
                ('month', models.DateField()),
                ('quantity', models.DecimalField(decimal_places=9, max_digits=34)),
                ('meter', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='billing.meter')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account_id', 'meter', 'month'), name='volume_once')],
            },
        ),
    ]
