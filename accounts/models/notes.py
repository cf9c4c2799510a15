from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.lib import identifiers
from accounts.models.organizations import Organization
from accounts.models.tenancy import TenantQuerySet
from accounts.models.users import User


class OperatorNote(models.Model):
    """What operators write to each other about a customer. The customer never sees it: it is in no event and no API."""

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="operator_notes")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=4000)
    created_at = models.DateTimeField()

    objects: ClassVar[TenantQuerySet["OperatorNote"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        default_permissions = ("add", "view")
        constraints = [models.CheckConstraint(condition=~Q(text=""), name="operator_note_says_something")]

    def __str__(self) -> str:
        return self.text[:60]
