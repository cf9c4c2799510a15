import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0016_suspensions")]

    operations = [
        migrations.AddField(
            "securitypolicy", "longest_session_hours", models.PositiveIntegerField(blank=True, null=True)
        ),
        migrations.AddField(
            "securitypolicy",
            "sign_in_methods",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40), blank=True, db_default=[], default=list, size=None
            ),
        ),
    ]
