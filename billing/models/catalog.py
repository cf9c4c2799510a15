from django.db import models
from django.db.models import Q

from billing.money import ZERO, AmountField


class Meter(models.Model):
    """Something counted, in a unit: `requests`, `sms`, `voice`."""

    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=100)
    unit = models.CharField(max_length=30)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class Price(models.Model):
    """What a unit of a meter costs, in credits; so that usage needs no currency."""

    meter = models.OneToOneField(Meter, on_delete=models.CASCADE, related_name="price")
    unit_amount = AmountField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(unit_amount__gte=0), name="price_not_negative")]

    def __str__(self) -> str:
        return f"{self.unit_amount} a {self.meter.unit}"


class Plan(models.Model):
    """What is sold by the period: for now its name, its monthly price in credits, and whether it is offered."""

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
    """How much of a meter a plan includes a month."""

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
