from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from accounts.lib.money import ZERO, AmountField
from accounts.models import TenantQuerySet


class SpendingQuerySet(TenantQuerySet["Spending"]):
    tenant = "account_id"


class Spending(models.Model):
    """What a key, or an organization with all beneath it, spent in a month of the payer's billing zone.

    It is kept for every key and node, with a budget or without, so that a budget counts from the first of the month
    however late it is set. Usage counts in the month in which it occurred, a capture in the month in which it was made.
    `alerted` is the highest threshold of the budget, in percent, that was announced as crossed.
    """

    pk = models.CompositePrimaryKey("account_id", "subject", "month")
    account_id = models.UUIDField()
    subject = models.UUIDField()
    month = models.DateField()
    spent = AmountField(default=ZERO)
    alerted = models.PositiveSmallIntegerField(default=0, db_default=0)

    objects: ClassVar[SpendingQuerySet] = SpendingQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [models.Index(fields=["account_id"], condition=Q(alerted__gt=0), name="spending_announced")]
        constraints = [
            models.CheckConstraint(condition=Q(alerted__in=[0, 50, 80, 100]), name="spending_alerted"),
        ]

    def __str__(self) -> str:
        subject: UUID = self.subject
        return f"{self.spent} by {subject} in {self.month:%Y-%m}"
