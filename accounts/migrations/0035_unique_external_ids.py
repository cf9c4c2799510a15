"""No organization has an id of the company's yet, so their index takes no time."""

from django.db import migrations, models

from accounts.lib import migrating

EXTERNAL_ID = models.UniqueConstraint(
    fields=["external_id"], condition=~models.Q(external_id=""), name="organization_external_id"
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("accounts", "0034_external_ids")]

    operations = migrating.add_unique(
        "organization", EXTERNAL_ID, on="accounts_organization (external_id) WHERE external_id <> ''"
    )
