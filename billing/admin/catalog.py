from django.contrib import admin
from django.http import HttpRequest

from accounts.admin import KeptAdmin
from billing.models import EndpointPrice, Meter, Plan, PlanAllowance, Price, PriceTier


class PriceInline(admin.StackedInline[Price, Meter]):
    model = Price
    can_delete = False  # without a price a meter would be free
    show_change_link = True  # to its tiers


class EndpointPriceInline(admin.TabularInline[EndpointPrice, Meter]):
    model = EndpointPrice
    extra = 0


class PriceTierInline(admin.TabularInline[PriceTier, Price]):
    model = PriceTier
    extra = 0


class PlanAllowanceInline(admin.TabularInline[PlanAllowance, Plan]):
    model = PlanAllowance
    extra = 0


@admin.register(Meter)
class MeterAdmin(KeptAdmin[Meter]):
    list_display = ["slug", "name", "unit", "price"]
    list_select_related = ["price"]
    search_fields = ["slug", "name"]
    inlines = [PriceInline, EndpointPriceInline]


@admin.register(Price)
class PriceAdmin(KeptAdmin[Price]):
    list_display = ["meter", "unit_amount"]
    list_select_related = ["meter"]
    search_fields = ["meter__slug"]
    readonly_fields = ["meter"]
    inlines = [PriceTierInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A price is made with its meter."""
        return False


@admin.register(Plan)
class PlanAdmin(KeptAdmin[Plan]):
    """A plan that is no longer sold isn't offered any more, but organizations that have it keep it."""

    list_display = ["slug", "name", "monthly_price", "is_offered"]
    search_fields = ["slug", "name"]
    inlines = [PlanAllowanceInline]
