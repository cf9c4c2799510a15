from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.admin.organizations import OrganizationAdmin as AccountsOrganizationAdmin
from accounts.models import Organization
from billing import clock, organizations
from billing.admin import change_requests
from billing.ledger import budgets

admin.site.unregister(Organization)


@admin.register(Organization)
class OrganizationAdmin(AccountsOrganizationAdmin):
    """Changes that affect money go through verbs that lock the payer and update its ledger."""

    recorded = frozenset({"timezone", "monthly_budget"})
    actions = ["suspend", "resume", "close"]

    def has_suspend_permission(self, request: HttpRequest) -> bool:
        return change_requests.may_ask(request, "suspend")

    def has_resume_permission(self, request: HttpRequest) -> bool:
        return change_requests.may_ask(request, "resume")

    def has_close_permission(self, request: HttpRequest) -> bool:
        return change_requests.may_ask(request, "close")

    @admin.action(description="Suspend the selected organization …", permissions=["suspend"])
    def suspend(self, request: HttpRequest, chosen: QuerySet[Organization]) -> HttpResponse | None:
        return change_requests.lead(self, request, "suspend", [row.public_id for row in chosen])

    @admin.action(description="Resume the selected organization …", permissions=["resume"])
    def resume(self, request: HttpRequest, chosen: QuerySet[Organization]) -> HttpResponse | None:
        return change_requests.lead(self, request, "resume", [row.public_id for row in chosen])

    @admin.action(description="Close the selected organization …", permissions=["close"])
    def close(self, request: HttpRequest, chosen: QuerySet[Organization]) -> HttpResponse | None:
        return change_requests.lead(self, request, "close", [row.public_id for row in chosen])

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: Organization, form: Any, change: bool) -> None:
        if "timezone" in form.changed_data:
            organizations.change_timezone(obj, obj.timezone, now=clock.now(obj))
        if "monthly_budget" in form.changed_data:
            budgets.limit(obj, obj.monthly_budget, now=clock.now(obj))
        super().save_model(request, obj, form, change)
