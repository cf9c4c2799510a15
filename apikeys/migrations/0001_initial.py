import accounts.lib.identifiers
import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


# A crash may lose these counts, and every call rewrites its row: so no write-ahead log, and room on the page.
RATE_COUNTS = """
ALTER TABLE apikeys_ratecount SET UNLOGGED;
ALTER TABLE apikeys_ratecount SET (fillfactor = 50);
"""



class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('public_id', models.CharField(default=accounts.lib.identifiers.api_key_id, editable=False, max_length=20, unique=True)),
                ('name', models.CharField(max_length=100)),
                ('description', models.CharField(blank=True, max_length=500)),
                ('environment', models.CharField(choices=[('live', 'Live'), ('test', 'Test')], default='live', editable=False, max_length=4)),
                ('permissions', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=100), default=list, size=None)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('disabled_at', models.DateTimeField(blank=True, null=True)),
                ('allowed_cidrs', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=43), blank=True, default=list, size=None)),
                ('rate_limit', models.PositiveIntegerField(blank=True, null=True)),
                ('rate_limit_window_seconds', models.PositiveIntegerField(blank=True, null=True)),
                ('monthly_budget', models.DecimalField(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('revoked_at', models.DateTimeField(editable=False, null=True)),
                ('last_used_at', models.DateTimeField(editable=False, null=True)),
                ('created_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('organization', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='api_keys', to='accounts.organization')),
            ],
            options={
                'verbose_name': 'API key',
                'verbose_name_plural': 'API keys',
            },
        ),
        migrations.CreateModel(
            name='RateCount',
            fields=[
                ('subject', models.CharField(max_length=100, primary_key=True, serialize=False)),
                ('moments', django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None)),
                ('calls', django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
            ],
        ),
        migrations.CreateModel(
            name='ApiKeySecret',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('digest', models.BinaryField(max_length=32, unique=True)),
                ('pepper', models.PositiveSmallIntegerField(editable=False)),
                ('hint', models.CharField(editable=False, max_length=20)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('expires_at', models.DateTimeField(editable=False, null=True)),
                ('key', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='secrets', to='apikeys.apikey')),
            ],
        ),
        migrations.AddIndex(
            model_name='apikey',
            index=models.Index(fields=['organization', '-created_at'], name='api_key_of_organization'),
        ),
        migrations.AddIndex(
            model_name='apikey',
            index=models.Index(condition=models.Q(('monthly_budget__isnull', False)), fields=['organization'], name='api_key_with_budget'),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('rate_limit', None), ('rate_limit_window_seconds', None)), models.Q(('rate_limit__gt', 0), ('rate_limit_window_seconds__gt', 0)), _connector='OR'), name='api_key_rate_limit_complete'),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('monthly_budget', None), ('monthly_budget__gte', 0), _connector='OR'), name='api_key_budget_not_negative'),
        ),
        migrations.RunSQL(RATE_COUNTS),
    ]
