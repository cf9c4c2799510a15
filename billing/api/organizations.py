from typing import Any

from django.db import transaction

from accounts.api import organizations as accounts_organizations
from accounts.models import Organization
from billing import clock, organizations


class OrganizationViewSet(accounts_organizations.OrganizationViewSet):
    """Organizations that the caller can see. POST creates a child of the current organization."""

    @staticmethod
    def mover(organization: Organization, **arguments: Any) -> Organization:
        return organizations.move(organization, now=clock.now(organization), **arguments)

    @transaction.atomic
    def save(self, serializer: Any) -> None:
        """A time zone is changed by the verb that tells the ledger, and first: the payer's lock comes before others."""
        if timezone := serializer.validated_data.pop("timezone", None):
            organizations.change_timezone(serializer.instance, timezone, now=clock.now(serializer.instance))
        super().save(serializer)
