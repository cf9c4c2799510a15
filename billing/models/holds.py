from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from accounts.lib import identifiers, jsonb
from accounts.lib.money import ZERO, AmountField
from accounts.models import Organization, TenantQuerySet
from apikeys.models import ApiKey
from billing.models.ledger import LedgerAccount


class HoldQuerySet(TenantQuerySet["Hold"]):
    tenant = "account"

    def within(self, organization: Organization) -> Self:
        """The holds of the organization and of all beneath it."""
        paid = self.filter(account=organization.root_id)
        return paid if organization.is_root else paid.filter(organization__path__contains=[organization.pk])

    def with_status(self, status: str, now: datetime) -> Self:
        """The holds that have this `status_at(now)`."""
        overdue = Q(status=Hold.Status.OPEN, expires_at__lte=now)
        if status == Hold.Status.EXPIRED:
            return self.filter(overdue | Q(status=Hold.Status.EXPIRED))
        return self.filter(status=status).exclude(overdue)


class Hold(models.Model):
    """Credits reserved for work that is not finished yet. The account's `reserved` is what open holds may still take.

    A hold is captured at most once, and `late` if it had expired before. A lease is a hold that usage draws from while
    it is open, so its `captured` grows. Customers see what the company's platform placed (`by_platform`), but don't
    resolve it. `entry_seq` is the ledger entry of a capture by request; if usage captured the hold, the event names the
    entry.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        CAPTURED = "captured"
        RELEASED = "released"
        EXPIRED = "expired"

    class Purpose(models.TextChoices):
        HOLD = "hold"
        LEASE = "lease"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, db_index=False, related_name="holds")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    key = models.ForeignKey(
        ApiKey, on_delete=models.DO_NOTHING, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    purpose = models.CharField(max_length=5, choices=Purpose.choices, default=Purpose.HOLD, db_default="hold")
    by_platform = models.BooleanField(default=False, db_default=False)
    amount = AmountField()
    captured = AmountField(default=ZERO)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.OPEN)
    reference = models.CharField(max_length=100, blank=True)
    metadata = models.JSONField(
        default=dict,
        encoder=jsonb.Encoder,
        decoder=jsonb.Decoder,
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    spend_until = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    late = models.BooleanField(default=False, db_default=False)
    entry_seq = models.BigIntegerField(null=True)

    objects: ClassVar[HoldQuerySet] = HoldQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [
            models.Index(fields=["account", "expires_at"], condition=Q(status="open"), name="hold_open_by_expiry"),
            models.Index(fields=["id"], name="hold_by_id"),
        ]
        constraints = [  # the first is the table's primary key in the database
            models.UniqueConstraint(fields=["account", "purpose", "id"], name="hold_of_account"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="hold_amount_positive"),
            models.CheckConstraint(condition=Q(captured__gte=0), name="hold_captured_not_negative"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return f"hold_{self.pk.hex}"

    def status_at(self, now: datetime) -> str:
        """`expired` from the moment of its expiry, even if the account was not brought up to date yet."""
        overdue = self.status == self.Status.OPEN and self.expires_at <= now
        return self.Status.EXPIRED if overdue else self.status
