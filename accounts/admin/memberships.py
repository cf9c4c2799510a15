from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from accounts.models import Membership


class MembershipInline(admin.TabularInline[Membership, Model]):
    """The memberships of a person or an organization, to look at."""

    model = Membership
    extra = 0
    can_delete = False
    fields = ["user", "organization", "role", "created_at"]
    readonly_fields = ["user", "organization", "role", "created_at"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
