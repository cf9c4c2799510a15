from hashlib import sha256
from typing import ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from accounts.lib import identifiers
from accounts.models.events import Event
from accounts.models.organizations import Organization
from accounts.models.tenancy import TenantQuerySet


class EndpointQuerySet(TenantQuerySet["WebhookEndpoint"]):
    def of(self, organization: Organization) -> Self:
        return super().of(organization).kept()

    def owned_by(self, organization: Organization | None) -> Self:
        """The organization's, or the company's own."""
        return self.of(organization) if organization else self.kept().filter(organization=None)

    def kept(self) -> Self:
        """Without those that are deleted but whose log isn't deleted yet."""
        return self.exclude(status=WebhookEndpoint.Status.DELETED)


class WebhookEndpoint(models.Model):
    """Where an organization wants its events to be sent. At most two secrets are live, both sealed.

    The company's own endpoints have no organization, and get the events of all.

    A worker that sends to it holds its lease: `leased_until`, with `lease_token` as the fencing token. `failures`
    counts the attempts that failed in a row.
    """

    class Status(models.TextChoices):
        ENABLED = "enabled"
        DISABLED = "disabled"
        DELETED = "deleted"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="webhook_endpoints"
    )
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
    warned_at = models.DateTimeField(null=True)

    objects: ClassVar[EndpointQuerySet] = EndpointQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return f"we_{self.pk.hex}"

    @property
    def secret_version(self) -> str:
        """Another one after each rotation. It tells nothing of the secret, which is sealed."""
        return sha256(bytes(self.secret)).hexdigest()[:16]


class DeliveryQuerySet(TenantQuerySet["Delivery"]):
    tenant = "endpoint__organization"

    def of(self, organization: Organization) -> Self:
        return super().of(organization).kept()

    def owned_by(self, organization: Organization | None) -> Self:
        """Those of the organization's endpoints, or of the company's own."""
        return self.of(organization) if organization else self.kept().filter(endpoint__organization=None)

    def kept(self) -> Self:
        return self.exclude(endpoint__status=WebhookEndpoint.Status.DELETED)


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
            models.Index(fields=["endpoint", "id"], condition=Q(status="pending"), name="delivery_waiting"),
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


class Redelivery(models.Model):
    """A job that sends deliveries of an endpoint again: those made in `[since, until)`, `total` of them.

    `cursor` is the last delivery that it has dealt with. An endpoint has one at a time.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, db_index=False, related_name="redeliveries")
    since = models.DateTimeField()
    until = models.DateTimeField()
    only_failed = models.BooleanField()
    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    cursor = models.UUIDField(null=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "redeliveries"
        constraints = [
            models.UniqueConstraint(fields=["endpoint"], condition=Q(finished_at=None), name="redelivery_under_way")
        ]
        indexes = [models.Index(fields=["endpoint", "-id"], name="redelivery_of_endpoint")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return f"rdl_{self.pk.hex}"
