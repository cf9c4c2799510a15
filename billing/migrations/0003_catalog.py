from decimal import Decimal

from django.db import migrations

METERS = [
    ("requests", "Requests", "request", Decimal("0.001")),
    ("sms", "SMS", "message", Decimal("0.01")),
    ("voice", "Voice", "minute", Decimal("0.02")),
]


def seed(apps, schema_editor):
    """What a fresh installation sells: three meters with their prices, and the free plan."""
    Meter, Price = apps.get_model("billing", "Meter"), apps.get_model("billing", "Price")
    for slug, name, unit, amount in METERS:
        meter = Meter.objects.create(slug=slug, name=name, unit=unit)
        Price.objects.create(meter=meter, unit_amount=amount)
    apps.get_model("billing", "Plan").objects.create(
        slug="developer", name="Developer", description="Free. Pay for what you use, with credits."
    )


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_guards")]

    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
