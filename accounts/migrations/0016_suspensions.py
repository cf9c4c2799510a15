"""Why an organization is suspended. Whoever was before, was so by hand."""

import django.contrib.postgres.fields
from django.db import migrations, models
from django.db.models import Value

BY_HAND = "UPDATE accounts_organization SET suspended_for = '{manual}' WHERE status = 'suspended'"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_second_factors")]

    operations = [
        migrations.AddField(
            "organization",
            "suspended_for",
            django.contrib.postgres.fields.ArrayField(
                models.CharField(choices=[("manual", "Manual"), ("unpaid", "Unpaid")], max_length=6),
                blank=True,
                db_default=Value(
                    [], django.contrib.postgres.fields.ArrayField(models.CharField(max_length=6), size=None)
                ),
                default=list,
                editable=False,
                size=None,
            ),
        ),
        migrations.RunSQL(BY_HAND, migrations.RunSQL.noop),
    ]
