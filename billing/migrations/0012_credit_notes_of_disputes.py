import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0011_live_subscriptions")]

    operations = [
        migrations.AddField(
            "dispute",
            "credit_note",
            models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="dispute", to="billing.invoice"
            ),
        ),
    ]
