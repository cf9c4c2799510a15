import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0012_change_requests")]

    operations = [
        migrations.AddField(
            "dispute",
            "credit_note",
            models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="dispute", to="billing.invoice"
            ),
        ),
    ]
