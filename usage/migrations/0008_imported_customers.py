"""Customers from another system: which of their rows were imported, and what they used there."""

import django.db.models.deletion
from decimal import Decimal
from django.db import migrations, models

# Django takes `id` for the primary key; in the database the payer leads it, as it leads every key of usage.
PAYER_FIRST = """
ALTER TABLE usage_importedusage DROP CONSTRAINT usage_importedusage_pkey, ADD PRIMARY KEY (account_id, id);
"""


class Migration(migrations.Migration):
    dependencies = [
        ('accounts', '0032_invitations_of_the_company'),
        ('apikeys', '0003_whole_rate_limits'),
        ('billing', '0017_imported_balances'),
        ('usage', '0007_operator_groups'),
    ]

    operations = [
        migrations.CreateModel(
            name='ImportedRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('type', models.CharField(max_length=20)),
                ('external_id', models.CharField(max_length=200)),
                ('digest', models.BinaryField(max_length=32)),
                ('target', models.CharField(max_length=40)),
                ('imported_at', models.DateTimeField()),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organization')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('type', 'external_id'), name='imported_row_once')],
            },
        ),
        migrations.CreateModel(
            name='ImportedUsage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account_id', models.UUIDField()),
                ('bucket', models.DateTimeField()),
                ('environment', models.CharField(choices=[('live', 'Live'), ('test', 'Test')], max_length=4)),
                ('requests', models.BigIntegerField()),
                ('failed', models.BigIntegerField()),
                ('quantity', models.DecimalField(decimal_places=9, max_digits=34)),
                ('credits', models.DecimalField(decimal_places=9, max_digits=34)),
                ('endpoint', models.TextField(default='')),
                ('key', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, to='apikeys.apikey')),
                ('meter', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='billing.meter')),
                ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='accounts.organization')),
            ],
            options={
                'indexes': [models.Index(fields=['account_id', 'organization', 'bucket'], name='imported_usage_by_time')],
                'constraints': [models.CheckConstraint(condition=models.Q(('credits__gte', Decimal('0')), ('failed__gte', 0), ('quantity__gte', Decimal('0')), ('requests__gte', models.F('failed'))), name='imported_usage_figures')],
            },
        ),
        migrations.RunSQL(PAYER_FIRST, migrations.RunSQL.noop),
    ]
