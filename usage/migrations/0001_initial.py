import accounts.lib.money
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('apikeys', '0001_initial'),
        ('billing', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='UsageEvent',
            fields=[
                ('pk', models.CompositePrimaryKey('organization_id', 'id', 'recorded_at', blank=True, editable=False, primary_key=True, serialize=False)),
                ('id', models.CharField(max_length=100)),
                ('account_id', models.UUIDField()),
                ('environment', models.CharField(choices=[('live', 'Live'), ('test', 'Test')], max_length=4)),
                ('endpoint', models.TextField()),
                ('quantity', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('failed', models.BooleanField()),
                ('credits', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('entry_seq', models.BigIntegerField(null=True)),
                ('occurred_at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField()),
                ('properties', models.JSONField(default=dict)),
            ],
            options={
                'db_table': 'usage_event',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='EndpointRollup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account_id', models.UUIDField()),
                ('bucket', models.DateTimeField()),
                ('environment', models.CharField(choices=[('live', 'Live'), ('test', 'Test')], max_length=4)),
                ('requests', models.BigIntegerField()),
                ('failed', models.BigIntegerField()),
                ('quantity', models.DecimalField(decimal_places=9, max_digits=34)),
                ('credits', models.DecimalField(decimal_places=9, max_digits=34)),
                ('endpoint', models.TextField()),
                ('key', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, to='apikeys.apikey')),
                ('meter', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='billing.meter')),
                ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='accounts.organization')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('organization', 'bucket', 'meter', 'key', 'endpoint'), name='endpoint_rollup_once', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='ImportedFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.BinaryField(max_length=32)),
                ('name', models.CharField(max_length=255)),
                ('lines_read', models.BigIntegerField(default=0)),
                ('events', models.BigIntegerField(default=0)),
                ('skipped', models.BigIntegerField(default=0)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('finished_at', models.DateTimeField(null=True)),
                ('meter', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.meter')),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organization')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('organization', 'meter', 'digest'), name='imported_file_once')],
            },
        ),
        migrations.CreateModel(
            name='UsageRollup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account_id', models.UUIDField()),
                ('bucket', models.DateTimeField()),
                ('environment', models.CharField(choices=[('live', 'Live'), ('test', 'Test')], max_length=4)),
                ('requests', models.BigIntegerField()),
                ('failed', models.BigIntegerField()),
                ('quantity', models.DecimalField(decimal_places=9, max_digits=34)),
                ('credits', models.DecimalField(decimal_places=9, max_digits=34)),
                ('key', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, to='apikeys.apikey')),
                ('meter', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='billing.meter')),
                ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='accounts.organization')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('organization', 'bucket', 'meter', 'key'), name='usage_rollup_once', nulls_distinct=False)],
            },
        ),
    ]
