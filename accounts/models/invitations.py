from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Collate, Lower
from django.utils import timezone

from accounts.lib import identifiers
from accounts.models.fields import EmailField
from accounts.models.organizations import Membership, Organization
from accounts.models.tenancy import TenantQuerySet
from accounts.models.users import User

LIFETIME = timedelta(days=7)
STATUSES = ("pending", "accepted", "revoked", "expired")


class InvitationQuerySet(TenantQuerySet["Invitation"]):
    def pending(self, now: datetime) -> Self:
        """Those that can be accepted: neither accepted, revoked nor expired."""
        return self.open().filter(expires_at__gt=now)

    def open(self) -> Self:
        """Neither accepted nor revoked. An expired one is among them: it can be sent again."""
        return self.filter(accepted_at=None, revoked_at=None)

    def with_status(self, status: str, now: datetime) -> Self:
        """Those whose `Invitation.status` is `status`."""
        gave_way = Q(revoked_at__gte=F("expires_at"))
        return self.filter(
            {
                "accepted": Q(accepted_at__isnull=False),
                "revoked": Q(accepted_at=None, revoked_at__lt=F("expires_at")),
                "expired": Q(accepted_at=None) & (gave_way | Q(revoked_at=None, expires_at__lte=now)),
                "pending": Q(accepted_at=None, revoked_at=None, expires_at__gt=now),
            }[status]
        )


class Invitation(models.Model):
    """An email address invited to a role. Only the digest of its token is kept; resending makes a new token.

    For each address, an organization has at most one that is neither accepted nor revoked. A new one replaces an
    expired one. `by_company`: no member of the organization sent it, so it depends on nobody's role.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="invitations")
    email = EmailField(max_length=250)
    role = models.CharField(max_length=9, choices=Membership.Role.choices)
    digest = models.BinaryField(unique=True, max_length=32, editable=False)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, editable=False, related_name="+")
    by_company = models.BooleanField(default=False, db_default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[InvitationQuerySet] = InvitationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=Q(accepted_at=None, revoked_at=None),
                name="invitation_one_open",
            ),
            models.CheckConstraint(condition=Q(email=Lower(Collate("email", "C"))), name="invitation_email_normal"),
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.organization_id}"

    @property
    def public_id(self) -> str:
        return f"inv_{self.pk.hex}"

    def status(self, now: datetime) -> str:
        """`accepted`, `revoked`, `expired` or `pending`. One that was replaced after its expiry counts as expired."""
        if self.accepted_at:
            return "accepted"
        if self.revoked_at and self.revoked_at < self.expires_at:
            return "revoked"
        return "expired" if self.revoked_at or self.expires_at <= now else "pending"
