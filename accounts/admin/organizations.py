from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts import tree
from accounts.admin.base import ChangedFieldsAdmin
from accounts.admin.memberships import MembershipInline
from accounts.admin.search import exactly, owner_fields
from accounts.credentials import Credential, Kind
from accounts.lib.problems import Conflict
from accounts.models import Organization


def _operator(request: HttpRequest) -> Credential:
    """The operator's credential. The admin has checked that they may change organizations."""
    administer = frozenset({tree.ADMINISTER})
    return Credential(Kind.PLATFORM_KEY, f"user:{request.user.pk}", None, None, "UTC", administer, administer)


class SuspendForm(forms.Form):
    reason = forms.CharField(max_length=200, help_text="The organization sees it among its events.")


@admin.register(Organization)
class OrganizationAdmin(ChangedFieldsAdmin[Organization]):
    list_display = ["name", "public_id", "auth_id", "parent", "status", "created_at"]
    list_filter = ["status"]
    list_select_related = ["parent"]
    search_fields = [*exactly("api_keys__public_id", "billing_account__email"), *owner_fields("")]
    ordering = ["-created_at"]
    fields = ["name", "public_id", "auth_id", "parent", "root", "status", "timezone", "monthly_budget", "created_at"]
    readonly_fields = ["public_id", "auth_id", "parent", "root", "status", "created_at"]
    inlines = [MembershipInline]
    personal = tree.PERSONAL
    actions = ["suspend", "resume"]

    def concerned(self, obj: Organization) -> list[UUID]:
        return [obj.pk]

    @admin.action(description="Suspend the selected organizations", permissions=["change"])
    def suspend(self, request: HttpRequest, chosen: QuerySet[Organization]) -> HttpResponse | None:
        """Runs after a page that asks for the reason. The customer sees the reason in the event."""
        confirmed = "confirmed" in request.POST
        form = SuspendForm(request.POST if confirmed else None)
        if not form.is_valid():
            sizes = [(organization, Organization.objects.within(organization).count()) for organization in chosen]
            context = {"title": "Suspend organizations", "chosen": sizes, "form": form, "opts": self.opts}
            context = {**self.admin_site.each_context(request), **context}
            return render(request, "admin/accounts/suspend.html", context)
        self._each(request, chosen, tree.suspend, "organization.suspended", reason=form.cleaned_data["reason"])
        return None

    @admin.action(description="Resume the selected organizations", permissions=["change"])
    def resume(self, request: HttpRequest, chosen: QuerySet[Organization]) -> None:
        self._each(request, chosen, tree.resume, "organization.resumed")

    def _each(
        self,
        request: HttpRequest,
        chosen: QuerySet[Organization],
        verb: Callable[..., Organization],
        event: str,
        **data: str,
    ) -> None:
        for organization in chosen:
            try:
                with transaction.atomic():
                    verb(organization, by=_operator(request), **data)
                    self.note(request, organization, event, **data)
            except Conflict as error:
                self.message_user(request, f"{organization}: {error}", messages.WARNING)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
