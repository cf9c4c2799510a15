from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import date
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.admin import KeptAdmin, ReadOnlyAdmin
from accounts.admin.search import owner_fields
from billing.admin import change_requests
from billing.invoicing import periods, plans
from billing.models import (
    EndpointPrice,
    Meter,
    Plan,
    PlanAllowance,
    PlanPrice,
    Price,
    PriceTier,
    Subscription,
    SubscriptionPeriod,
)
from billing.models.catalog import Interval
from billing.templatetags.money import amount


class PriceInline(admin.StackedInline[Price, Meter]):
    """A new meter gets its price with it. Later a price is changed by a request, since every customer pays it."""

    model = Price
    can_delete = False  # without a price a meter would be free
    show_change_link = True  # to its tiers

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class EndpointPriceInline(admin.TabularInline[EndpointPrice, Meter]):
    model = EndpointPrice
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


class PriceTierInline(admin.TabularInline[PriceTier, Price]):
    model = PriceTier
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


class PlanPriceInline(admin.TabularInline[PlanPrice, Plan]):
    model = PlanPrice
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None or not plans.is_sold(obj)

    has_change_permission = has_delete_permission = has_add_permission


class PlanAllowanceInline(admin.TabularInline[PlanAllowance, Plan]):
    model = PlanAllowance
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None or not plans.is_sold(obj)

    has_change_permission = has_delete_permission = has_add_permission


@admin.register(Meter)
class MeterAdmin(KeptAdmin[Meter]):
    list_display = ["slug", "name", "unit", "price"]
    list_select_related = ["price"]
    search_fields = ["slug", "name"]
    inlines = [PriceInline, EndpointPriceInline]
    actions = ["change_price"]

    def has_price_permission(self, request: HttpRequest) -> bool:
        return change_requests.may_ask(request, "price")

    @admin.action(description="Change the price of the selected meter …", permissions=["price"])
    def change_price(self, request: HttpRequest, chosen: QuerySet[Meter]) -> HttpResponse | None:
        return change_requests.lead(self, request, "price", [meter.slug for meter in chosen])


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin[Price]):
    """To look at. A price is made with its meter, and changed by a request."""

    list_display = ["meter", "unit_amount"]
    list_select_related = ["meter"]
    search_fields = ["meter__slug"]
    inlines = [PriceTierInline]


@admin.register(Plan)
class PlanAdmin(KeptAdmin[Plan]):
    """A version of a plan. Its terms can be changed until it is sold; then the next version is made from it.

    A version that is no longer sold isn't offered any more, but organizations that have it keep it.
    """

    list_display = ["slug", "version", "name", "monthly_price", "grant", "trial_days", "rate_limit", "is_offered"]
    list_filter = ["is_offered"]
    search_fields = ["slug", "name"]
    inlines = [PlanPriceInline, PlanAllowanceInline]
    actions = ["make_next_version", "offer"]

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> list[str]:
        terms = list(Plan.TERMS) if obj and plans.is_sold(obj) else ["version"]
        return [*terms, "preview"]

    @admin.display(description="What a customer pays")
    def preview(self, plan: Plan) -> str:
        """By currency and interval: the price when taking it today, and at each renewal. Taxed when the credits are
        bought.
        """
        if plan.pk is None:
            return _("Save the plan first.")
        now = timezone.now()
        rows = format_html_join("", "<li>{}</li>", ((line,) for line in _lines(plan, now)))
        return format_html("<ul>{}</ul>", rows)

    @admin.action(description="Make the next version of the plan", permissions=["add"])
    def make_next_version(self, request: HttpRequest, queryset: QuerySet[Plan]) -> None:
        for plan in queryset:
            copy = plans.next_version(plan)
            self.log_addition(request, copy, f"Made from version {plan.version}.")
            self.message_user(request, _("%(plan)s is there. It is not on offer yet.") % {"plan": copy})

    @admin.action(description="Offer this version from now on", permissions=["change"])
    def offer(self, request: HttpRequest, queryset: QuerySet[Plan]) -> None:
        for plan in queryset:
            plans.offer(plan)
            self.log_change(request, plan, "Offered from now on.")
            self.message_user(request, _("%(plan)s is on offer.") % {"plan": plan})


def _lines(plan: Plan, now: datetime) -> Iterator[str]:
    """A sentence for each price, with the days on which it is due for who takes it now; then what is included."""
    start = now + timedelta(days=plan.trial_days)
    currencies = sorted({price.currency for price in plan.prices.all()})
    if plan.monthly_price is not None:
        currencies.append(_("Any other currency") if currencies else _("Any currency"))
    for currency in currencies:
        for interval, price in plans.intervals(plan, currency).items():
            charges = {"currency": currency, "charges": _charges(price, interval, start)}
            yield (
                _("%(currency)s, by the year: %(charges)s")
                if interval == Interval.YEAR
                else _("%(currency)s, by the month: %(charges)s")
            ) % charges
    if plan.trial_days:
        text = ngettext(
            "The first day is a trial, which costs nothing.",
            "The first %(days)s days are a trial, which costs nothing.",
            plan.trial_days,
        )
        yield text % {"days": plan.trial_days}
    if plan.grant:
        yield _("Credits given each month, which end with it: %(credits)s.") % {"credits": amount(plan.grant)}
    if plan.rate_limit:
        rate = {"limit": plan.rate_limit, "seconds": plan.rate_limit_window_seconds}
        yield _("Most requests in %(seconds)s s, of all keys together: %(limit)s.") % rate
    for allowance in plan.allowances.select_related("meter"):
        included = {"quantity": amount(allowance.included_quantity), "meter": allowance.meter.name}
        yield _("Free in each calendar month: %(quantity)s of %(meter)s.") % included


def _charges(price: Decimal, interval: str, start: datetime) -> str:
    if not price:
        return _("nothing.")
    anchor = periods.wall_time(start, "UTC")
    days = [date(periods.boundary(anchor, number, interval, "UTC"), "DATE_FORMAT") for number in range(4)]
    text = _("%(credits)s credits on %(first)s, and again on %(next)s, …")
    return text % {"credits": amount(price), "first": days[0], "next": ", ".join(days[1:])}


class SubscriptionPeriodInline(admin.TabularInline[SubscriptionPeriod, Subscription]):
    model = SubscriptionPeriod
    extra = 0
    can_delete = False
    readonly_fields = ["plan", "is_trial", "starts_at", "ends_at", "fee", "entry_seq"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin[Subscription]):
    """Who has which plan, and for which periods they paid."""

    list_display = ["public_id", "organization", "plan", "status", "interval", "price", "current_period_end"]
    list_filter = ["status", "plan__slug"]
    list_select_related = ["organization", "plan"]
    search_fields = owner_fields("organization")
    inlines = [SubscriptionPeriodInline]
