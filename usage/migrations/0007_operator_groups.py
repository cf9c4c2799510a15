"""The groups of operators. They are empty until Django has made the permissions: see `usage.operator_groups`."""

from django.db import migrations

GROUPS = ("support", "finance", "catalog", "auditor", "owner")


def make(apps, schema_editor):
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    for name in GROUPS:
        groups.get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("usage", "0006_dismissed_checklists"),
    ]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
