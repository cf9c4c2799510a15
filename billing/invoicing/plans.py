"""Plans: what they cost an account, and their versions."""

from decimal import Decimal

from django.db import transaction

from accounts.lib.problems import InvalidField
from billing.models import Interval, Plan, PlanAllowance, PlanPrice


def offered(slug: str) -> Plan:
    """The version of a plan that is on offer."""
    plan = Plan.objects.filter(slug=slug, is_offered=True).first()
    if plan is None:
        raise InvalidField("plan", "There is no such plan.")
    return plan


def price(plan: Plan, currency: str, interval: str) -> Decimal:
    """What a period costs an account in this currency, in credits. `InvalidField` if it can't be taken in it."""
    own = plan.prices.filter(currency=currency, interval=interval).first()
    if own:
        amount: Decimal = own.amount
        return amount
    if plan.monthly_price is None or (interval != Interval.MONTH and plan.monthly_price):
        raise InvalidField("interval", f"The plan has no price in {currency} by the {interval}.")
    monthly: Decimal = plan.monthly_price
    return monthly


def intervals(plan: Plan, currency: str) -> dict[str, Decimal]:
    """What the plan costs in this currency, by each interval in which it can be taken."""
    prices = {}
    for interval in Interval.values:
        try:
            prices[interval] = price(plan, currency, interval)
        except InvalidField:
            continue
    return prices


def is_sold(plan: Plan) -> bool:
    return plan.subscriptions.exists()


@transaction.atomic
def next_version(plan: Plan) -> Plan:
    """A copy with the next number, which can be changed until it is sold. It is not on offer yet."""
    versions = Plan.objects.select_for_update(no_key=True).filter(slug=plan.slug)
    last = max(row.version for row in versions)
    copied = {*Plan.TERMS, "name", "description"} - {"version"}
    terms = {name: getattr(plan, name) for name in copied}
    copy = Plan.objects.create(**terms, version=last + 1, is_offered=False)
    PlanPrice.objects.bulk_create(
        PlanPrice(plan=copy, currency=row.currency, interval=row.interval, amount=row.amount)
        for row in plan.prices.all()
    )
    PlanAllowance.objects.bulk_create(
        PlanAllowance(plan=copy, meter_id=row.meter_id, included_quantity=row.included_quantity)
        for row in plan.allowances.all()
    )
    return copy


@transaction.atomic
def offer(plan: Plan) -> None:
    """Sell this version from now on, instead of any other of the plan."""
    Plan.objects.filter(slug=plan.slug, is_offered=True).exclude(pk=plan.pk).update(is_offered=False)
    Plan.objects.filter(pk=plan.pk).update(is_offered=True)
