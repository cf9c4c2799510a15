import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_budgets_and_events'),
        ('apikeys', '0002_networks_and_rate_limits'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RateWindow',
            fields=[
                ('key', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='+', serialize=False, to='apikeys.apikey')),
                ('win', models.BigIntegerField()),
                ('n', models.IntegerField()),
                ('prev', models.IntegerField()),
            ],
        ),
        migrations.AddField(
            model_name='apikey',
            name='monthly_budget',
            field=models.DecimalField(blank=True, decimal_places=9, max_digits=24, null=True),
        ),
        # What is counted here may be lost in a crash, and is rewritten by every call: no log, and room on the page.
        migrations.RunSQL("ALTER TABLE apikeys_ratewindow SET UNLOGGED"),
        migrations.RunSQL("ALTER TABLE apikeys_ratewindow SET (fillfactor = 50)"),
    ]
