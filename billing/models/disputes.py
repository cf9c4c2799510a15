from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.lib import identifiers
from accounts.lib.money import ZERO, AmountField
from billing.models.invoices import Invoice
from billing.models.payments import Payment


class Dispute(models.Model):
    """A cardholder contests a payment at their bank, which may withdraw its money, and give it back later.

    `total`, `withdrawn_total` and `reinstated_total` are money, as the gateway reports it; `withdrawn` and `reinstated`
    are the credits that the ledger took and gave back for them. Money that moved never moves back by itself: a
    reinstatement is added, and nothing is subtracted. `credit_note` is over what a lost dispute has taken for good.
    """

    class Status(models.TextChoices):
        INQUIRY = "inquiry"  # no money has moved
        OPEN = "open"
        WON = "won"
        LOST = "lost"
        CLOSED = "closed"  # an inquiry that came to nothing, or a dispute that was prevented

    UNDECIDED = (Status.INQUIRY, Status.OPEN)

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    gateway_reference = models.CharField(max_length=100, unique=True)
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.INQUIRY)
    reason = models.CharField(max_length=60, blank=True)
    total = AmountField()
    withdrawn_total = AmountField(default=ZERO)
    reinstated_total = AmountField(default=ZERO)
    withdrawn = AmountField(default=ZERO)
    reinstated = AmountField(default=ZERO)
    credit_note = models.OneToOneField(Invoice, on_delete=models.PROTECT, null=True, related_name="dispute")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], condition=Q(status__in=["inquiry", "open"]), name="dispute_undecided")
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    withdrawn__gte=0,
                    reinstated__gte=0,
                    reinstated__lte=models.F("withdrawn"),
                    reinstated_total__lte=models.F("withdrawn_total"),
                ),
                name="dispute_sums",
            )
        ]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.status}"

    @property
    def public_id(self) -> str:
        return f"du_{self.pk.hex}"
