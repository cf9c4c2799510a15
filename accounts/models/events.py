from typing import ClassVar, Self

from django.db import models

from accounts.lib import identifiers, jsonb
from accounts.models.organizations import Organization
from accounts.models.tenancy import TenantQuerySet


class EventQuerySet(TenantQuerySet["Event"]):
    def within(self, organization: Organization) -> Self:
        """The events of the organization and of all beneath it."""
        return self.filter(organization__in=Organization.objects.within(organization))


class Event(models.Model):
    """One thing that happened in an organization: written in the transaction that made it happen, and never changed.

    Triggers refuse every UPDATE, DELETE and TRUNCATE. Amounts in `data` are Decimals, kept digit by digit.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, db_index=False, related_name="events")
    type = models.CharField(max_length=60)
    data = models.JSONField(
        default=dict,
        encoder=jsonb.Encoder,
        decoder=jsonb.Decoder,
    )
    created_at = models.DateTimeField()

    objects: ClassVar[EventQuerySet] = EventQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [models.Index(fields=["organization", "-id"], name="event_of_organization")]

    def __str__(self) -> str:
        return f"{self.type} ({self.public_id})"

    @property
    def public_id(self) -> str:
        return f"evt_{self.pk.hex}"
