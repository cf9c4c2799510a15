from django.db import models
from django.db.models import Q

from accounts.lib.money import ZERO, AmountField


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
        return f"{self.unit_amount} a {self.meter.unit}"


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
        return f"{self.unit_amount} up to {self.up_to or 'any quantity'}"


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
        return f"{self.unit_amount} at {self.endpoint}"


class Plan(models.Model):
    """What is sold by the month: a price in credits, and the quantities that it includes."""

    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=500, blank=True)
    monthly_price = AmountField(default=ZERO)
    is_offered = models.BooleanField(default=True)

    class Meta:
        ordering = ["monthly_price", "slug"]
        constraints = [models.CheckConstraint(condition=Q(monthly_price__gte=0), name="plan_price_not_negative")]

    def __str__(self) -> str:
        return self.name


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
        return f"{self.included_quantity} of {self.meter}"
