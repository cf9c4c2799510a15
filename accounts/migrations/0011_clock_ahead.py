"""How far a test organization's clock was moved ahead. Null, as before: it follows the real time."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_sealed_events")]

    operations = [
        migrations.AddField("organization", "clock_ahead", models.DurationField(editable=False, null=True)),
    ]
