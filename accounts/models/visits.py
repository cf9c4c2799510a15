from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.lib import identifiers
from accounts.models.organizations import Organization
from accounts.models.tenancy import TenantQuerySet
from accounts.models.users import User

LONGEST_VISIT = timedelta(minutes=60)


class Visit(models.Model):
    """An operator looks at a customer's pages, and changes nothing there. It ends by itself at `expires_at`.

    `organization` is a root: a visit reaches the whole tree. The customer reads the `reason`.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="visits")
    operator = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=200)
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantQuerySet["Visit"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        default_permissions = ("view",)
        permissions = [("visit_customer", "Can visit the pages of a customer")]
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("started_at"), expires_at__lte=F("started_at") + LONGEST_VISIT),
                name="visit_is_short",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="visit_has_a_reason"),
            models.UniqueConstraint(fields=["operator"], condition=Q(ended_at=None), name="visit_one_at_a_time"),
        ]

    def __str__(self) -> str:
        return f"visit of {self.organization_id} until {self.expires_at:%Y-%m-%d %H:%M}"

    def is_live(self, now: datetime) -> bool:
        return self.ended_at is None and now < self.expires_at
