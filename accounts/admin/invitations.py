from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import invitations
from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.search import exactly, owner_fields
from accounts.lib.languages import translated
from accounts.lib.problems import Conflict
from accounts.models import Invitation

STATUSES = {"accepted": _("Accepted"), "revoked": _("Revoked"), "expired": _("Expired"), "pending": _("Pending")}


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin[Invitation]):
    """Operators look at invitations and revoke them."""

    id_prefix = "inv_"
    list_display = ["email", "role", "organization", "state", "invited_by", "created_at", "expires_at"]
    list_filter = ["role", ("accepted_at", admin.EmptyFieldListFilter)]
    list_select_related = ["organization", "invited_by"]
    search_fields = [*exactly("email", "invited_by__email"), "^email", *owner_fields("organization")]
    ordering = ["-created_at"]
    actions = ["revoke"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [
            *("public_id", "email", "role", "organization", "state", "invited_by"),
            *("created_at", "expires_at", "accepted_at", "revoked_at"),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Needed by the action; every field is read-only."""
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    @admin.display(description="status")
    def state(self, invitation: Invitation) -> str:
        return str(STATUSES[invitation.status(timezone.now())])

    @admin.action(description="Revoke the selected invitations", permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[Invitation]) -> None:
        for invitation in chosen:
            try:
                with transaction.atomic():
                    invitations.withdraw(invitation)
                    self.note(request, invitation, "invitation.revoked")
            except Conflict as error:
                self.message_user(request, f"{invitation.email}: {translated(str(error))}", messages.WARNING)
