from typing import Self, TypeVar

from django.db import models

from accounts.models import Organization, TenantQuerySet

UsageRow = TypeVar("UsageRow", bound=models.Model)


class UsageQuerySet(TenantQuerySet[UsageRow]):
    """Names the payer as well as the organization, since the payer leads the tables' keys."""

    def of(self, organization: Organization) -> Self:
        return super().of(organization).filter(account_id=organization.root_id)

    def within(self, organization: Organization) -> Self:
        """The rows of the organization and of everything beneath it."""
        tree = Organization.objects.within(organization)
        return self.filter(account_id=organization.root_id, organization__in=tree)
