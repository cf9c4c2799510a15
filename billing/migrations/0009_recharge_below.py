from django.db import migrations, models
from django.db.models import Q

from accounts.lib import migrating

# Accounts whose auto-recharge is on already. Until then the sweep finds them, and so it does if this is interrupted.
WAKE = """
UPDATE billing_ledgeraccount a SET recharge_below = r.threshold
  FROM billing_autorecharge r WHERE r.organization_id = a.organization_id AND r.enabled
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("billing", "0008_disputes")]

    operations = [
        *migrating.add_unique(
            "refund",
            models.UniqueConstraint(
                fields=["gateway_reference"], condition=~Q(gateway_reference=""), name="refund_reference_once"
            ),
            on="billing_refund (gateway_reference) WHERE NOT gateway_reference = ''",
        ),
        migrations.RunSQL(WAKE, migrations.RunSQL.noop),
    ]
