from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.lib import identifiers, jsonb
from accounts.lib.money import AmountField
from accounts.models import Organization, TenantQuerySet, User

LIFETIME = timedelta(days=7)


class ChangeRequest(models.Model):
    """What an operator asks to do to a customer's money, access or prices, and what became of it.

    Up to a limit it is done at once. Above it, it waits for a second person: `decided_by` is never who asked for it.
    A trigger refuses every change of what was asked, and of what was decided.

    - `organization`: whose events tell of it; null for a price, which concerns every customer.
    - `subject`: what it is done to: the public id of the organization, a payment or an invoice, a meter, or an entry.
    - `params`: what the verb gets. `amount`: the credits that count against the limit.
    - `reason`: what the customer reads. `note`: what only operators read.
    - `before`, `after`: the figures of the preview that was confirmed last. `outcome`: what was done.
    """

    class Kind(models.TextChoices):
        ADJUST = "adjust", "Adjust the balance"
        GRANT = "grant", "Grant credits"
        REVERSE = "reverse", "Reverse an entry"
        REFUND = "refund", "Refund a payment"
        CREDIT_NOTE = "credit_note", "Issue a credit note"
        WRITE_OFF = "write_off", "Give up an invoice"
        CREDIT_LIMIT = "credit_limit", "Set the credit limit"
        SUSPEND = "suspend", "Suspend"
        RESUME = "resume", "Resume"
        CLOSE = "close", "Close for good"
        PRICE = "price", "Change a price"

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        DECLINED = "declined"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, related_name="change_requests")
    subject = models.CharField(max_length=60)
    params = models.JSONField(default=dict, encoder=jsonb.Encoder, decoder=jsonb.Decoder)
    amount = AmountField()
    reason = models.CharField(max_length=200)
    note = models.TextField(max_length=4000, blank=True)
    needs_approval = models.BooleanField()
    state = models.CharField(max_length=8, choices=State.choices)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    outcome = models.CharField(max_length=200, blank=True)

    objects: ClassVar[TenantQuerySet["ChangeRequest"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    # The fields that a trigger keeps as they were asked.
    TERMS: ClassVar = (
        *("kind", "organization_id", "subject", "params", "amount", "reason", "note"),
        *("needs_approval", "requested_by_id", "requested_at", "expires_at"),
    )

    class Meta:
        default_permissions = ("view",)
        permissions = [
            ("request_adjust", "Can request an adjustment"),
            ("request_grant", "Can request a grant"),
            ("request_reverse", "Can request a reversal"),
            ("request_refund", "Can request a refund"),
            ("request_credit_note", "Can request a credit note"),
            ("request_write_off", "Can request that an invoice is given up"),
            ("request_credit_limit", "Can request a credit limit"),
            ("request_suspend", "Can request a suspension"),
            ("request_resume", "Can request the end of a suspension"),
            ("request_close", "Can request that an organization is closed"),
            ("request_price", "Can request a price"),
            ("approve_changerequest", "Can approve what another operator requests"),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(state="waiting"), name="change_request_waiting"),
            models.Index(fields=["organization", "-id"], name="change_request_of_organization"),
            models.Index(fields=["requested_by", "-requested_at"], name="change_request_by"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("requested_by")) | Q(state="declined"),
                name="change_request_two_people",
            ),
            models.CheckConstraint(
                condition=~Q(state="done", needs_approval=True) | Q(decided_by__isnull=False),
                name="change_request_approved",
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", decided_at=None, decided_by=None, needs_approval=True)
                | (~Q(state="waiting") & Q(decided_at__isnull=False)),
                name="change_request_decided",
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="change_request_amount"),
            models.CheckConstraint(condition=~Q(reason=""), name="change_request_has_a_reason"),
            models.CheckConstraint(
                condition=Q(kind="price", organization=None) | (~Q(kind="price") & Q(organization__isnull=False)),
                name="change_request_concerns",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.subject}"

    def is_waiting(self, now: datetime) -> bool:
        """Whether it can still be decided."""
        return self.state == self.State.WAITING and now < self.expires_at

    @property
    def rows(self) -> list[tuple[str, Any, Any]]:
        """The figures before and after, by their names."""
        return [(name, self.before.get(name, ""), value) for name, value in self.after.items()]
