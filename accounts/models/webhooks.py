from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from accounts.lib import identifiers
from accounts.models.events import Event
from accounts.models.organizations import Organization
from accounts.models.tenancy import TenantQuerySet


class WebhookEndpoint(models.Model):
    """Where an organization wants its events to be sent. At most two secrets are live, both sealed.

    A worker that sends to it holds its lease: `leased_until`, with `lease_token` as the fencing token. `failures`
    counts the attempts that failed in a row.
    """

    class Status(models.TextChoices):
        ENABLED = "enabled"
        DISABLED = "disabled"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="webhook_endpoints")
    url = models.CharField(max_length=2048)
    description = models.CharField(max_length=500, blank=True, default="")
    event_types = ArrayField(models.CharField(max_length=60))
    includes_subtree = models.BooleanField(default=False)
    api_version = models.CharField(max_length=20)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ENABLED)
    disabled_reason = models.CharField(max_length=20, blank=True, default="")
    secret = models.BinaryField()
    previous_secret = models.BinaryField(null=True)
    previous_secret_expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now, editable=False)
    failures = models.PositiveIntegerField(default=0)
    first_failed_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    lease_token = models.BigIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    worked_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantQuerySet["WebhookEndpoint"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return f"we_{self.pk.hex}"


class DeliveryQuerySet(TenantQuerySet["Delivery"]):
    tenant = "endpoint__organization"


class Delivery(models.Model):
    """One event for one endpoint. `body` has the bytes that are signed and sent, the same at every attempt."""

    class Status(models.TextChoices):
        PENDING = "pending"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, db_index=False, related_name="deliveries")
    event = models.ForeignKey(Event, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    sequence = models.BigIntegerField()
    body = models.BinaryField()
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.PENDING)
    attempt_count = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=now)
    created_at = models.DateTimeField(default=now, editable=False, db_index=True)

    objects: ClassVar[DeliveryQuerySet] = DeliveryQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["endpoint", "event"], name="delivery_once")]
        indexes = [
            models.Index(fields=["endpoint", "sequence"], condition=Q(status="pending"), name="delivery_pending"),
            models.Index(fields=["endpoint", "-id"], name="delivery_of_endpoint"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return f"dlv_{self.pk.hex}"


class Attempt(models.Model):
    """One POST of a delivery, and the beginning of what came back. `status` is null where nothing did."""

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=30, blank=True, default="")
    address = models.CharField(max_length=45, blank=True, default="")
    duration_ms = models.PositiveIntegerField()
    answer = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return f"{self.delivery_id}, attempt {self.number}"
