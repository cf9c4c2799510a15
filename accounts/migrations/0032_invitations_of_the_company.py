"""Invitations that the company sends, and no member of the organization."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0031_events_of_the_company")]
    operations = [
        migrations.AddField(
            "invitation", "by_company", models.BooleanField(db_default=False, default=False, editable=False)
        ),
    ]
