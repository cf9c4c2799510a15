from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models import TenantQuerySet


class MoveQuerySet(TenantQuerySet["Move"]):
    tenant = "account_id"


class Move(models.Model):
    """A node that was moved within its payer's tree, with all beneath it.

    The paths are the node's own before and after, from the root down to the node. `seq` is the payer's last ledger
    entry at that time: entries up to it counted above the old place, later ones above the new. `number` counts the
    moves of the payer.
    """

    pk = models.CompositePrimaryKey("account_id", "number")
    account_id = models.UUIDField()
    number = models.BigIntegerField()
    organization_id = models.UUIDField()
    path_before = ArrayField(models.UUIDField())
    path_after = ArrayField(models.UUIDField())
    seq = models.BigIntegerField()
    moved_at = models.DateTimeField()

    objects: ClassVar[MoveQuerySet] = MoveQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"move {self.number} of {self.account_id}"
