"""When an organization was changed last. Null, as before: then it never was, or before this release."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_ipv4_networks")]

    operations = [
        migrations.AddField("organization", "modified_at", models.DateTimeField(editable=False, null=True)),
    ]
