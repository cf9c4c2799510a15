from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q

from accounts.lib.money import ZERO, AmountField
from accounts.models import Organization, TenantQuerySet
from billing.models import Invoice, LedgerAccount, Meter
from usage.models.tenancy import UsageQuerySet


class MonthCloseQuerySet(TenantQuerySet["MonthClose"]):
    tenant = "account"

    def done(self) -> Self:
        return self.filter(status=MonthClose.Status.DONE)


class MonthClose(models.Model):
    """The close of a payer's month [starts_at, ends_at), which runs once. What is done never changes.

    The first close has no `starts_at`: everything before its end is in it. `opening` and `closing` are the balance at
    both ends, with each event in the month on whose paper it is. They are null until it is done. `owed` is what a
    postpaid payer's invoices ask for from then on. There is no `paper` if nothing moved, or nobody is known to whom it
    could go.
    """

    class Status(models.TextChoices):
        STARTED = "started"
        DONE = "done"

    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, db_index=False, related_name="closes")
    month = models.DateField()
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField()
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.STARTED)
    opening = AmountField(null=True)
    closing = AmountField(null=True)
    owed = AmountField(default=ZERO, db_default=ZERO)
    paper = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, db_index=False, related_name="+")
    started_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    objects: ClassVar[MonthCloseQuerySet] = MonthCloseQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "month"], name="month_close_once"),
            models.CheckConstraint(
                condition=Q(starts_at=None) | Q(starts_at__lt=F("ends_at")), name="month_close_has_length"
            ),
            models.CheckConstraint(
                condition=Q(status="started", opening=None, closing=None, done_at=None)
                | Q(status="done", opening__isnull=False, closing__isnull=False, done_at__isnull=False),
                name="month_close_figures",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"

    @property
    def is_done(self) -> bool:
        return self.status == self.Status.DONE

    def has(self, moment: datetime) -> bool:
        """Whether the moment lies in the month."""
        return (self.starts_at is None or self.starts_at <= moment) and moment < self.ends_at


class MonthlyUsage(models.Model):
    """What an organization used of a meter, as the paper of a closed month has it: live usage, and frozen.

    `occurred_in` is the month in which it occurred. That is `month` itself, or an earlier one of late events: those
    that arrived after their own month was closed. The database's primary key is (account_id, id). Ids ascend in the
    order of a payer's closes.
    """

    account_id = models.UUIDField()
    organization = models.ForeignKey(
        Organization, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    month = models.DateField()
    meter = models.ForeignKey(Meter, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    occurred_in = models.DateField()
    requests = models.BigIntegerField()
    failed = models.BigIntegerField()
    quantity = models.DecimalField(max_digits=34, decimal_places=9)
    credits = models.DecimalField(max_digits=34, decimal_places=9)

    objects: ClassVar[UsageQuerySet["MonthlyUsage"]] = UsageQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name_plural = "monthly usage"
        indexes = [models.Index(fields=["id"], name="monthly_usage_by_id")]  # the admin opens a row by its id
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "month", "organization", "meter", "occurred_in"], name="monthly_usage_once"
            ),
            models.CheckConstraint(condition=Q(occurred_in__lte=F("month")), name="monthly_usage_occurred_before"),
        ]

    def __str__(self) -> str:
        return f"{self.requests} requests in {self.month:%Y-%m}"

    @property
    def late(self) -> bool:
        return self.occurred_in < self.month
