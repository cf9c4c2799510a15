from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest

from accounts import tree
from accounts.admin.base import ChangedFieldsAdmin
from accounts.admin.memberships import MembershipInline
from accounts.admin.search import exactly, owner_fields
from accounts.models import Organization


@admin.register(Organization)
class OrganizationAdmin(ChangedFieldsAdmin[Organization]):
    list_display = ["name", "public_id", "auth_id", "parent", "status", "created_at"]
    list_filter = ["status"]
    list_select_related = ["parent"]
    search_fields = [*exactly("api_keys__public_id", "billing_account__email"), *owner_fields("")]
    ordering = ["-created_at"]
    fields = [
        *("name", "public_id", "auth_id", "parent", "root", "status", "timezone", "monthly_budget", "created_at"),
        "closed_at",
    ]
    readonly_fields = ["public_id", "auth_id", "parent", "root", "status", "created_at", "closed_at"]
    inlines = [MembershipInline]
    personal = tree.PERSONAL

    def concerned(self, obj: Organization) -> list[UUID]:
        return [obj.pk]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
