"""The queue of an endpoint is in the order in which its deliveries were made, whose organization's they may be."""

from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

from accounts.lib import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("accounts", "0012_platform_webhooks")]

    operations = [
        *migrating.add_index(
            "delivery",
            models.Index(fields=["endpoint", "id"], condition=Q(status="pending"), name="delivery_waiting"),
        ),
        RemoveIndexConcurrently("delivery", "delivery_pending"),
    ]
