from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.lib import addresses, identifiers
from accounts.models import Organization, TenantQuerySet, User

LAST_USE_GRAIN = timedelta(minutes=1)


class ApiKeyQuerySet(TenantQuerySet["ApiKey"]):
    def within(self, organization: Organization) -> Self:
        """The keys of the organization and of all beneath it."""
        return self.filter(organization__in=Organization.objects.within(organization))

    def platform(self) -> Self:
        return self.filter(organization=None)

    def unrevoked(self) -> Self:
        return self.filter(revoked_at=None)

    def with_status(self, status: str, now: datetime) -> Self:
        """Those whose `status(now)` is `active`, `disabled`, `expired` or `revoked`."""
        expired = Q(expires_at__isnull=False, expires_at__lte=now)
        chosen = {
            "revoked": Q(revoked_at__isnull=False),
            "expired": Q(revoked_at=None) & expired,
            "disabled": Q(revoked_at=None, disabled_at__isnull=False) & ~expired,
            "active": Q(revoked_at=None, disabled_at=None) & ~expired,
        }
        return self.filter(chosen[status])

    def touch(self, key: "ApiKey", now: datetime) -> None:
        """Note that a key was used, at most once a minute, so most calls write nothing."""
        if key.last_used_at is None or key.last_used_at <= now - LAST_USE_GRAIN:
            stale = Q(last_used_at=None) | Q(last_used_at__lte=now - LAST_USE_GRAIN)
            self.filter(stale, pk=key.pk).update(last_used_at=now)


class ApiKey(models.Model):
    """A program's credential. Without an organization it is a platform key, for the company's own gateway.

    `permissions` keeps the order in which they were given. Those that are scopes open Tollgate's own API, but never
    more than `created_by` holds at that moment. The others are the company's own; Tollgate only answers about them.
    """

    class Environment(models.TextChoices):
        LIVE = "live"
        TEST = "test"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    public_id = models.CharField(max_length=20, unique=True, default=identifiers.api_key_id, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, editable=False, related_name="api_keys"
    )
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, editable=False, related_name="+")
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=500, blank=True)
    environment = models.CharField(max_length=4, choices=Environment.choices, default=Environment.LIVE, editable=False)
    permissions = ArrayField(models.CharField(max_length=100), default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    allowed_cidrs = ArrayField(models.CharField(max_length=43), default=list, blank=True)
    rate_limit = models.PositiveIntegerField(null=True, blank=True)
    rate_limit_window_seconds = models.PositiveIntegerField(null=True, blank=True)
    monthly_budget = models.DecimalField(max_digits=24, decimal_places=9, null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[ApiKeyQuerySet] = ApiKeyQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        indexes = [
            models.Index(fields=["organization", "-created_at"], name="api_key_of_organization"),
            models.Index(
                fields=["organization"], condition=Q(monthly_budget__isnull=False), name="api_key_with_budget"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(rate_limit=None, rate_limit_window_seconds=None)
                | Q(  # a CHECK takes a comparison with NULL for true
                    rate_limit__isnull=False,
                    rate_limit_window_seconds__isnull=False,
                    rate_limit__gt=0,
                    rate_limit_window_seconds__gt=0,
                ),
                name="api_key_rate_limit_whole",
            ),
            models.CheckConstraint(
                condition=Q(monthly_budget=None) | Q(monthly_budget__gte=0), name="api_key_budget_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.public_id})"

    @property
    def is_platform(self) -> bool:
        return self.organization_id is None

    @property
    def is_test(self) -> bool:
        return self.environment == self.Environment.TEST

    def admits_address(self, address: str) -> bool:
        """Whether the key may be used from this address. Without networks of its own, it may be used from anywhere."""
        return not self.allowed_cidrs or addresses.within(address, self.allowed_cidrs)

    def status(self, now: datetime) -> str:
        """`revoked`, `expired`, `disabled` or `active`; the first that applies."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at and self.expires_at <= now:
            return "expired"
        return "disabled" if self.disabled_at else "active"


class ApiKeySecret(models.Model):
    """One secret of a key: its digest and what may be shown of it. A rotated key has two for a while."""

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="secrets")
    digest = models.BinaryField(unique=True, max_length=32, editable=False)
    pepper = models.PositiveSmallIntegerField(editable=False)
    hint = models.CharField(max_length=20, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return self.hint
