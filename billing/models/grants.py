from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.lib import identifiers
from accounts.lib.money import AmountField
from accounts.models import TenantQuerySet
from billing.models.ledger import LedgerAccount


class GrantQuerySet(TenantQuerySet["Grant"]):
    tenant = "account"


class Grant(models.Model):
    """A lot of credits: what one entry brought, and how much of it is left.

    Lots burn by priority (lowest first), then soonest expiry, then oldest. Usage and captures are allotted to the lots
    lazily: until then the lots add up to more than the balance, by exactly what is still to be burnt. What remains past
    the expiry is `kept` for holds, and burns before everything else.
    """

    class Category(models.TextChoices):
        PAID = "paid"
        PROMOTIONAL = "promotional"

    PRIORITIES: ClassVar = (0, 100)
    ORDINARY: ClassVar = 50

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, db_index=False, related_name="grants")
    entry_seq = models.BigIntegerField()
    category = models.CharField(max_length=11, choices=Category.choices)
    priority = models.PositiveSmallIntegerField(default=ORDINARY)
    amount = AmountField()
    remaining = AmountField()
    expires_at = models.DateTimeField(null=True)
    kept = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()

    objects: ClassVar[GrantQuerySet] = GrantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [
            models.Index(fields=["id"], name="grant_by_id"),
            models.Index(
                fields=["account", "priority", "expires_at", "created_at"],
                condition=Q(remaining__gt=0),
                name="grant_to_burn",
            ),
        ]
        constraints = [  # the first is the table's primary key in the database
            models.UniqueConstraint(fields=["account", "entry_seq"], name="grant_of_entry"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="grant_amount_positive"),
            models.CheckConstraint(condition=Q(remaining__gte=0, remaining__lte=F("amount")), name="grant_remaining"),
            models.CheckConstraint(condition=Q(priority__lte=100), name="grant_priority"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return f"grant_{self.pk.hex}"
