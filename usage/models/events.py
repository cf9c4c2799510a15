from typing import ClassVar

from django.db import models

from accounts.lib import jsonb
from accounts.lib.money import AmountField
from accounts.models import Organization
from apikeys.models import ApiKey
from billing.models import Meter
from usage.models.tenancy import UsageQuerySet


class UsageEvent(models.Model):
    """One metered request. Immutable: a mistake is corrected by an `EventVoid`.

    `id` is the caller's, counted once an organization within 35 days of arrival. `entry_seq` is the ledger entry that
    the event was charged with; null if it was charged nothing. `late` is true if its month was closed when it arrived:
    then `billed_in` is the month that is closed next, on whose paper it is. `occurred_at` is never after `recorded_at`:
    if a caller's clock is fast, the event counts at its arrival. The foreign keys have no constraint in the database:
    their rows are read under the payer's lock, and are never deleted.
    """

    pk = models.CompositePrimaryKey("account_id", "organization_id", "id", "recorded_at")
    account_id = models.UUIDField()
    organization = models.ForeignKey(
        Organization, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    id = models.CharField(max_length=100)
    key = models.ForeignKey(
        ApiKey, on_delete=models.DO_NOTHING, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    meter = models.ForeignKey(Meter, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    environment = models.CharField(max_length=4, choices=ApiKey.Environment.choices)
    endpoint = models.TextField()
    quantity = AmountField()
    failed = models.BooleanField()
    credits = AmountField()
    entry_seq = models.BigIntegerField(null=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    properties = models.JSONField(default=dict, encoder=jsonb.Encoder, decoder=jsonb.Decoder)
    hold_id = models.UUIDField(null=True)
    late = models.BooleanField(default=False)
    billed_in = models.DateField(null=True)

    objects: ClassVar[UsageQuerySet["UsageEvent"]] = UsageQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        managed = False
        db_table = "usage_event"

    def __str__(self) -> str:
        return self.id
