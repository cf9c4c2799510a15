"""Networks of IPv4 that were written as IPv6 (`::ffff:203.0.113.0/120`) never matched. They become IPv4."""

from django.db import migrations

from accounts.lib import addresses


def normalize(apps, schema_editor):
    model = apps.get_model("accounts", "SecurityPolicy")
    for row in model.objects.exclude(allowed_networks=[]).iterator():
        networks = list(dict.fromkeys(addresses.network(network) for network in row.allowed_networks))
        if networks != row.allowed_networks:
            model.objects.filter(pk=row.pk, allowed_networks=row.allowed_networks).update(allowed_networks=networks)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_sign_in_limits")]

    operations = [migrations.RunPython(normalize, migrations.RunPython.noop)]
