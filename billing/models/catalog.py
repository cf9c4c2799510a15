from typing import ClassVar

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from accounts.lib.money import ZERO, AmountField, plain


class Meter(models.Model):
    """Something that is metered in a unit: `requests`, `sms`, `voice`."""

    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=100)
    unit = models.CharField(max_length=30)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class Price(models.Model):
    """The price of a meter's unit in credits. Usage therefore needs no currency."""

    meter = models.OneToOneField(Meter, on_delete=models.CASCADE, related_name="price")
    unit_amount = AmountField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(unit_amount__gte=0), name="price_not_negative")]

    def __str__(self) -> str:
        return f"{plain(self.unit_amount)} a {self.meter.unit}"


class PriceTier(models.Model):
    """A step of a graduated price: the price of a month's units from the previous step's `up_to` to this one.

    A null `up_to` means without end. If no tier is without end, units beyond the last one cost the price's own
    `unit_amount`.
    """

    price = models.ForeignKey(Price, on_delete=models.CASCADE, related_name="tiers")
    up_to = AmountField(null=True, blank=True)
    unit_amount = AmountField()

    class Meta:
        ordering = ["price", models.F("up_to").asc(nulls_last=True)]
        constraints = [
            models.UniqueConstraint(fields=["price", "up_to"], nulls_distinct=False, name="price_tier_once"),
            models.CheckConstraint(condition=Q(up_to=None) | Q(up_to__gt=0), name="price_tier_has_units"),
            models.CheckConstraint(condition=Q(unit_amount__gte=0), name="price_tier_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{plain(self.unit_amount)} up to {plain(self.up_to) if self.up_to else 'any quantity'}"


class EndpointPrice(models.Model):
    """The price of a meter's unit at one endpoint. It replaces the meter's own price."""

    meter = models.ForeignKey(Meter, on_delete=models.CASCADE, related_name="endpoint_prices")
    endpoint = models.CharField(max_length=2000)
    unit_amount = AmountField()

    class Meta:
        ordering = ["meter", "endpoint"]
        constraints = [
            models.UniqueConstraint(fields=["meter", "endpoint"], name="endpoint_price_once"),
            models.CheckConstraint(condition=Q(unit_amount__gte=0), name="endpoint_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{plain(self.unit_amount)} at {self.endpoint}"


class Interval(models.TextChoices):
    """How long a period of a subscription is."""

    MONTH = "month"
    YEAR = "year"


class Plan(models.Model):
    """A version of what is sold: its prices, the quantities that it includes, a grant of credits a month, a rate limit.

    Once a version was sold, triggers refuse every change of its terms. Who wants others makes the next version; those
    who have an older one keep it. One version of a plan is on offer at most.

    `monthly_price` is the price of a month in credits, in every currency that has none of its own (`PlanPrice`). Null:
    only accounts with a currency that has a price can take the plan. `grant` is given each month, also if the plan is
    paid by the year, and ends with its month. The rate limit is for all keys of a subscriber together; a key may have
    another limit of its own.
    """

    slug = models.SlugField(max_length=50)
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=500, blank=True)
    monthly_price = AmountField(default=ZERO, null=True, blank=True)
    grant = AmountField(default=ZERO, db_default=ZERO)
    trial_days = models.PositiveSmallIntegerField(default=0, db_default=0)
    rate_limit = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    rate_limit_window_seconds = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    is_offered = models.BooleanField(default=True)

    TERMS: ClassVar = (
        *("slug", "version", "monthly_price", "grant", "trial_days", "rate_limit", "rate_limit_window_seconds"),
    )

    class Meta:
        ordering = ["monthly_price", "slug", "version"]
        constraints = [
            models.UniqueConstraint(fields=["slug", "version"], name="plan_version_once"),
            models.UniqueConstraint(fields=["slug"], condition=Q(is_offered=True), name="plan_offered_once"),
            models.CheckConstraint(condition=Q(monthly_price__gte=0), name="plan_price_not_negative"),
            models.CheckConstraint(condition=Q(grant__gte=0), name="plan_grant_not_negative"),
            models.CheckConstraint(condition=Q(trial_days__lte=365), name="plan_trial_at_most_a_year"),
            models.CheckConstraint(
                condition=Q(rate_limit=None, rate_limit_window_seconds=None)
                | Q(
                    rate_limit__isnull=False,
                    rate_limit_window_seconds__isnull=False,
                    rate_limit__range=(1, 1_000_000),
                    rate_limit_window_seconds__range=(1, 86_400),
                ),
                name="plan_rate_limit_complete",
                violation_error_message="Give both, a rate limit up to 1,000,000 and a window up to a day, or neither.",
            ),
        ]

    def __str__(self) -> str:
        return self.name if self.version == 1 else f"{self.name} (version {self.version})"


class PlanPrice(models.Model):
    """What a plan costs in one currency and interval, in credits, which are units of that currency."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="prices")
    currency = models.CharField(max_length=3, validators=[RegexValidator("^[A-Z]{3}$", "Three capital letters.")])
    interval = models.CharField(max_length=5, choices=Interval.choices, default=Interval.MONTH)
    amount = AmountField()

    class Meta:
        ordering = ["plan", "currency", "interval"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "currency", "interval"], name="plan_price_once"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="plan_price_amount_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{plain(self.amount)} {self.currency} a {self.interval}"


class PlanAllowance(models.Model):
    """How much of a meter a plan includes per month."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="allowances")
    meter = models.ForeignKey(Meter, on_delete=models.CASCADE, related_name="+")
    included_quantity = AmountField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["plan", "meter"], name="plan_allowance_once"),
            models.CheckConstraint(condition=Q(included_quantity__gte=0), name="plan_allowance_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{plain(self.included_quantity)} of {self.meter}"
