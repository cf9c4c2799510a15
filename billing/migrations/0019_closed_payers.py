"""A payer that is closed takes no usage. Its account says so, since that is what usage locks. 0021 fills it in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0018_checked_rate_limits"), ("accounts", "0026_leaving")]

    operations = [
        migrations.AddField("ledgeraccount", "closed_at", models.DateTimeField(null=True)),
    ]
