from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeVar

from django.db import models

if TYPE_CHECKING:
    from accounts.models.organizations import Organization

Row = TypeVar("Row", bound=models.Model)


class TenantQuerySet(models.QuerySet[Row], Generic[Row]):
    """Every query for rows that a tenant owns begins with `of`."""

    tenant: ClassVar[str] = "organization"

    def of(self, organization: "Organization") -> Self:
        return self.filter(**{self.tenant: organization.pk})
