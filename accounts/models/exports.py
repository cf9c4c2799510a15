from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.lib import identifiers
from accounts.models.organizations import Organization
from accounts.models.tenancy import TenantQuerySet
from accounts.models.users import User


class ExportQuerySet(TenantQuerySet["Export"]):
    def of_person(self, user: User) -> Self:
        return self.filter(user=user)

    def unfinished(self) -> Self:
        return self.filter(finished_at=None)

    def kept(self, now: datetime) -> Self:
        """Those whose files can be downloaded."""
        return self.filter(finished_at__isnull=False, expires_at__gt=now)


class Export(models.Model):
    """All data of an organization and of those beneath it, or of a person. The row is the job.

    `section` and `after` say where the job is: the name of a section, and the key of the last row that was written.
    `done` and `total` count sections. `counts` has the rows of each, and `size` the bytes of the files so far.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, null=True, related_name="exports")
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="exports")
    requested_by = models.CharField(max_length=40)
    section = models.CharField(max_length=60, blank=True)
    after = models.JSONField(null=True)
    done = models.PositiveSmallIntegerField(default=0)
    total = models.PositiveSmallIntegerField()
    counts = models.JSONField(default=dict)
    size = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, db_index=True)

    objects: ClassVar[ExportQuerySet] = ExportQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user"],
                condition=Q(finished_at=None),
                nulls_distinct=False,
                name="export_under_way",
            ),
            models.CheckConstraint(
                condition=Q(organization=None, user__isnull=False) | Q(organization__isnull=False, user=None),
                name="export_of_one_subject",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return f"exp_{self.pk.hex}"

    @property
    def progress(self) -> int:
        """In per cent."""
        return 100 if self.finished_at else 100 * self.done // self.total


class ExportFile(models.Model):
    """One file of an export, compressed as the archive has it. Any machine can write it, and any can serve it."""

    pk = models.CompositePrimaryKey("export_id", "number")
    export = models.ForeignKey(Export, on_delete=models.CASCADE, db_index=False, related_name="files")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    content = models.BinaryField()
    size = models.BigIntegerField()
    crc = models.BigIntegerField()

    def __str__(self) -> str:
        return self.name
