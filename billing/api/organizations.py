from typing import Any

from django.db import transaction

from accounts.api import organizations as accounts_organizations
from billing import organizations


class OrganizationViewSet(accounts_organizations.OrganizationViewSet):
    """The tree that the caller can see; a new one is a child of the current organization."""

    mover = staticmethod(organizations.move)

    @transaction.atomic
    def save(self, serializer: Any) -> None:
        """A time zone is changed by the verb that tells the ledger, and first: the payer's lock comes before others."""
        if timezone := serializer.validated_data.pop("timezone", None):
            organizations.change_timezone(serializer.instance, timezone)
        super().save(serializer)
