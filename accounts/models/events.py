from typing import Any, ClassVar, Self

from django.db import models

from accounts.lib import exact_json, identifiers, jsonb
from accounts.models.organizations import Organization
from accounts.models.tenancy import TenantQuerySet


class EventQuerySet(TenantQuerySet["Event"]):
    def within(self, organization: Organization) -> Self:
        """The events of the organization and of all beneath it."""
        return self.filter(organization__in=Organization.objects.within(organization))

    def in_log_of(self, owner: Organization | None) -> Self:
        """What the owner's log shows: the events of an organization and of all beneath it, or the company's own."""
        return self.within(owner) if owner else self.filter(organization=None)


class Event(models.Model):
    """One thing that happened in an organization: written in the transaction that made it happen, and never changed.

    What concerns the company alone, such as its platform keys, has no organization, and so no customer sees it.

    Triggers refuse every UPDATE, DELETE and TRUNCATE. Amounts in `data` are Decimals, kept digit by digit. The table is
    partitioned by `id`, which begins with the time, so no other table has a foreign key to it in the database.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, db_index=False, related_name="events"
    )
    type = models.CharField(max_length=60)
    data = models.JSONField(
        default=dict,
        encoder=jsonb.Encoder,
        decoder=jsonb.Decoder,
    )
    # Null in events of 0.1.0. These hold ids only, no personal data: an event is never changed, so it can't forget.
    actor = models.JSONField(null=True)
    targets = models.JSONField(null=True)
    context = models.JSONField(null=True)
    personal_digest = models.BinaryField(null=True, editable=False)
    created_at = models.DateTimeField()

    objects: ClassVar[EventQuerySet] = EventQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        # Migration 0028 made two more, `event_of_actor` and `event_of_target`, one partition after the other.
        indexes = [models.Index(fields=["organization", "-id"], name="event_of_organization")]

    def __str__(self) -> str:
        return f"{self.type} ({self.public_id})"

    @property
    def public_id(self) -> str:
        return f"evt_{self.pk.hex}"


class PersonalData(models.Model):
    """What an event knows about a person, such as the address they came from. It can be erased.

    The event holds the SHA-256 of the salt and the text. So nobody can change this unseen, and once it is erased nobody
    can guess what it was. `text` is JSON, kept to the letter.
    """

    event = models.OneToOneField(
        Event, on_delete=models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="personal_data"
    )
    salt = models.BinaryField(editable=False)
    text = models.TextField()

    class Meta:
        verbose_name_plural = "personal data"

    def __str__(self) -> str:
        return str(self.event_id)

    @property
    def members(self) -> Any:
        return exact_json.loads(self.text)


class UnpublishedEvent(models.Model):
    """An event that has no sequence yet. Its transaction writes the row, and publication deletes it."""

    event = models.OneToOneField(
        Event, on_delete=models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="unpublished"
    )

    def __str__(self) -> str:
        return str(self.event_id)


class PublishedEvent(models.Model):
    """The place of an event among all events of its root organization, or of the company: 1, 2, 3 …, without gaps.

    `digest` seals the event and all before it. These rows are never changed either, and stay when the event is retired.
    """

    event = models.OneToOneField(
        Event, on_delete=models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="published"
    )
    root = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, db_index=False, related_name="+")
    sequence = models.BigIntegerField()
    digest = models.BinaryField(editable=False)
    published_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["root", "sequence"], name="event_sequence"),
            models.UniqueConstraint(
                fields=["sequence"], condition=models.Q(root=None), name="event_sequence_of_company"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} of {self.root_id}"
