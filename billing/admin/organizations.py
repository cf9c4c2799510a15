from typing import Any

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest

from accounts.admin.organizations import OrganizationAdmin as AccountsOrganizationAdmin
from accounts.models import Organization
from billing import clock, organizations
from billing.ledger import budgets

admin.site.unregister(Organization)


@admin.register(Organization)
class OrganizationAdmin(AccountsOrganizationAdmin):
    """Changes that affect money go through verbs that lock the payer and update its ledger."""

    recorded = frozenset({"timezone", "monthly_budget"})

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: Organization, form: Any, change: bool) -> None:
        if "timezone" in form.changed_data:
            organizations.change_timezone(obj, obj.timezone, now=clock.now(obj))
        if "monthly_budget" in form.changed_data:
            budgets.limit(obj, obj.monthly_budget, now=clock.now(obj))
        super().save_model(request, obj, form, change)
