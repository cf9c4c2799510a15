"""The company's own ids of its customers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0033_languages")]

    operations = [
        migrations.AddField(
            "organization", "external_id", models.CharField(blank=True, db_default="", default="", max_length=100)
        ),
    ]
