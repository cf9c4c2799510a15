import accounts.lib.identifiers
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0004_month_papers'),
    ]

    operations = [
        migrations.CreateModel(
            name='LedgerProof',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField()),
                ('accounts', models.BigIntegerField()),
                ('differences', models.BigIntegerField()),
                ('findings', models.JSONField(default=list)),
            ],
            options={
                'default_permissions': ('view',),
                'constraints': [models.CheckConstraint(condition=models.Q(('finished_at__gte', models.F('started_at'))), name='ledger_proof_takes_time')],
            },
        ),
    ]
