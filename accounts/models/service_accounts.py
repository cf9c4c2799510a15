from typing import ClassVar, Self

from django.db import models
from django.utils import timezone

from accounts.lib import identifiers
from accounts.models.organizations import Organization
from accounts.models.tenancy import TenantQuerySet
from accounts.models.users import User


class ServiceAccountQuerySet(TenantQuerySet["ServiceAccount"]):
    def within(self, organization: Organization) -> Self:
        """Those of the organization and of all beneath it."""
        return self.filter(organization__in=Organization.objects.within(organization))

    def living(self) -> Self:
        return self.filter(removed_at=None)


class ServiceAccount(models.Model):
    """A member without a sign-in, whose API keys outlive the people who made them.

    `user` is its row among the users: it has a role, makes the keys, and can't sign in. `responsible` is the person to
    ask about it.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="service_accounts")
    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="service_account")
    responsible = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    removed_at = models.DateTimeField(null=True)

    objects: ClassVar[ServiceAccountQuerySet] = ServiceAccountQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return f"svc_{self.pk.hex}"
