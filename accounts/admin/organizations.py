from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts import tree
from accounts.admin.base import ChangedFieldsAdmin
from accounts.admin.memberships import MembershipInline
from accounts.credentials import Credential, Kind
from accounts.lib.problems import Conflict
from accounts.models import Organization


def _operator(request: HttpRequest) -> Credential:
    """The company's own, who has the admin's permission to change organizations."""
    administer = frozenset({tree.ADMINISTER})
    return Credential(Kind.PLATFORM_KEY, f"user:{request.user.pk}", None, None, "UTC", administer, administer)


@admin.register(Organization)
class OrganizationAdmin(ChangedFieldsAdmin[Organization]):
    list_display = ["name", "public_id", "auth_id", "parent", "status", "created_at"]
    list_filter = ["status"]
    list_select_related = ["parent"]
    search_fields = [
        "name",
        "public_id",
        "auth_id",
        "memberships__user__email",
        "billing_account__public_id",
        "billing_account__email",
        "api_keys__public_id",
    ]
    ordering = ["-created_at"]
    fields = ["name", "public_id", "auth_id", "parent", "root", "status", "timezone", "monthly_budget", "created_at"]
    readonly_fields = ["public_id", "auth_id", "parent", "root", "status", "created_at"]
    inlines = [MembershipInline]
    actions = ["suspend", "resume"]

    @admin.action(description="Suspend the selected organizations", permissions=["change"])
    def suspend(self, request: HttpRequest, chosen: QuerySet[Organization]) -> None:
        self._each(request, chosen, tree.suspend)

    @admin.action(description="Resume the selected organizations", permissions=["change"])
    def resume(self, request: HttpRequest, chosen: QuerySet[Organization]) -> None:
        self._each(request, chosen, tree.resume)

    def _each(self, request: HttpRequest, chosen: QuerySet[Organization], verb: Callable[..., Organization]) -> None:
        for organization in chosen:
            try:
                verb(organization, by=_operator(request))
            except Conflict as error:
                self.message_user(request, f"{organization}: {error}", messages.WARNING)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
