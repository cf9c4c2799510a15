"""Whether an account pays before or after it uses something. The accounts that are there are prepaid."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_invoice_indexes")]

    operations = [
        migrations.AddField(
            "billingaccount",
            "billing_mode",
            models.CharField(
                choices=[("prepaid", "Prepaid"), ("postpaid", "Postpaid")],
                db_default="prepaid",
                default="prepaid",
                max_length=8,
            ),
        ),
    ]
