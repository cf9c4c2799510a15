from django.db import models

from billing.models import Meter


class Volume(models.Model):
    """How much of a meter a payer's tree used, live, in a calendar month of the payer's time zone.

    `quantity` counts the units that tiers and included quantities go by, in the order of arrival; `requests` counts
    all events.
    """

    pk = models.CompositePrimaryKey("account_id", "meter_id", "month")
    account_id = models.UUIDField()
    meter = models.ForeignKey(Meter, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    month = models.DateField()
    quantity = models.DecimalField(max_digits=34, decimal_places=9)
    requests = models.BigIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return f"{self.quantity} in {self.month:%Y-%m}"
