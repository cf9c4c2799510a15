"""Networks of IPv4 that were written as IPv6 (`::ffff:203.0.113.0/120`) never matched. They become IPv4."""

from django.db import migrations

from accounts.lib import addresses


def normalize(apps, schema_editor):
    model = apps.get_model("apikeys", "ApiKey")
    for row in model.objects.exclude(allowed_cidrs=[]).iterator():
        networks = list(dict.fromkeys(addresses.network(network) for network in row.allowed_cidrs))
        if networks != row.allowed_cidrs:
            model.objects.filter(pk=row.pk, allowed_cidrs=row.allowed_cidrs).update(allowed_cidrs=networks)


class Migration(migrations.Migration):
    dependencies = [("apikeys", "0001_initial")]

    operations = [migrations.RunPython(normalize, migrations.RunPython.noop)]
