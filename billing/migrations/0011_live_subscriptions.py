"""At most one subscription is live, also if it is in trial or past due."""

from django.db import migrations, models
from django.db.models import Q

from accounts.lib import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("billing", "0010_plans")]

    operations = [
        *migrating.add_index(
            "subscription", models.Index(fields=["next_at"], condition=~Q(status="canceled"), name="subscription_due")
        ),
        *migrating.add_unique(
            "subscription",
            models.UniqueConstraint(
                fields=["organization"], condition=~Q(status="canceled"), name="subscription_one_live"
            ),
            on="billing_subscription (organization_id) WHERE NOT status = 'canceled'",
        ),
        migrations.RemoveConstraint("subscription", "subscription_one_active"),
    ]
