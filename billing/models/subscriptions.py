from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.lib import identifiers
from accounts.models import Organization, TenantQuerySet
from billing.models.catalog import Plan


class Subscription(models.Model):
    """An organization's subscription to a plan. At most one is active."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        CANCELED = "canceled"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="subscriptions")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="subscriptions")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACTIVE)
    current_period_start = models.DateTimeField()
    current_period_end = models.DateTimeField()
    cancel_at_period_end = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[TenantQuerySet["Subscription"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization"], condition=Q(status="active"), name="subscription_one_active"
            ),
            models.CheckConstraint(
                condition=Q(current_period_end__gt=F("current_period_start")), name="subscription_period_has_length"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return f"sub_{self.pk.hex}"
