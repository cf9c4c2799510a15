from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.lib import identifiers
from accounts.lib.money import ZERO, AmountField
from accounts.models import Organization, TenantQuerySet
from billing.models.catalog import Interval, Plan


class SubscriptionQuerySet(TenantQuerySet["Subscription"]):
    def live(self) -> "SubscriptionQuerySet":
        """Those that have not ended."""
        return self.exclude(status=Subscription.Status.CANCELED)


class Subscription(models.Model):
    """An organization's subscription to a version of a plan. At most one is live.

    Periods are counted from `anchor`, the local wall time at which the first one began: the n-th ends n intervals after
    it, so that 31 January renews on 28 February and on 31 March. `number` is that of the current period, from 1 on, and
    0 in a trial. `price` is what the plan costs a period, as it was when it was taken. `next_plan` begins with the next
    period. `granted_through` is the end of the month of the last grant.

    `next_at` is when something is due: the trial's mail, a month's grant, the end of the period, or another try to be
    paid. Null once it has ended, and in a row of 0.1.0 that was not brought up to date yet (it has no anchor either).
    """

    class Status(models.TextChoices):
        TRIALING = "trialing"
        ACTIVE = "active"
        PAST_DUE = "past_due"
        CANCELED = "canceled"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="subscriptions")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="subscriptions")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACTIVE)
    interval = models.CharField(max_length=5, choices=Interval.choices, default=Interval.MONTH, db_default="month")
    price = AmountField(default=ZERO, db_default=ZERO)
    anchor = models.CharField(max_length=26, default="", db_default="", editable=False)
    number = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    current_period_start = models.DateTimeField()
    current_period_end = models.DateTimeField()
    cancel_at_period_end = models.BooleanField(default=False)
    next_plan = models.ForeignKey(Plan, on_delete=models.PROTECT, null=True, related_name="+")
    next_interval = models.CharField(
        max_length=5, choices=Interval.choices, blank=True, default="", db_default="", editable=False
    )
    granted_through = models.DateTimeField(null=True, editable=False)
    reminded_at = models.DateTimeField(null=True, editable=False)
    past_due_at = models.DateTimeField(null=True, editable=False)
    next_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[SubscriptionQuerySet] = SubscriptionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [
            models.Index(fields=["next_at"], condition=~Q(status="canceled"), name="subscription_due"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organization"], condition=~Q(status="canceled"), name="subscription_one_live"
            ),
            models.CheckConstraint(
                condition=Q(current_period_end__gt=F("current_period_start")), name="subscription_period_has_length"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return f"sub_{self.pk.hex}"

    @property
    def anchored_at(self) -> datetime:
        """The anchor as a naive local time."""
        return datetime.fromisoformat(self.anchor)


class SubscriptionPeriod(models.Model):
    """A stretch [starts_at, ends_at) of a subscription, on one plan, and the fee that was paid for it.

    Each second of a subscription is in exactly one. An upgrade cuts the period in two: the second costs the difference.
    `entry_seq` is the fee's entry in the ledger, null if there was nothing to pay.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, db_index=False, related_name="periods")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")
    is_trial = models.BooleanField(default=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    fee = AmountField()
    entry_seq = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["subscription", "starts_at"]
        constraints = [
            models.UniqueConstraint(fields=["subscription", "starts_at"], name="subscription_period_once"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="subscription_period_length"),
            models.CheckConstraint(condition=Q(fee__gte=0), name="subscription_period_fee_not_negative"),
            models.CheckConstraint(
                condition=Q(fee=0, entry_seq=None) | Q(fee__gt=0, entry_seq__isnull=False),
                name="subscription_period_fee_posted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at} to {self.ends_at}"
