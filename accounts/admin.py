"""The admin of people and organizations, and what the other apps' admins share."""

from collections.abc import Callable
from typing import Any, TypeVar

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import invitations, security, tree
from accounts.credentials import Credential, Kind
from accounts.lib import addresses, identifiers
from accounts.lib.problems import Conflict
from accounts.models import Event, Invitation, Membership, Organization, SecurityPolicy, User

Row = TypeVar("Row", bound=Model)

admin.site.site_header = admin.site.site_title = "Tollgate"
admin.site.index_title = "Operations"
# allauth's sign-in and its limits, which the admin's own form would go round.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
# A person's address is the user's own; allauth's copy of it is no second place to change it.
admin.site.unregister(EmailAddress)


class ReadOnlyAdmin(admin.ModelAdmin[Row]):
    """To look at. `id_prefix` is that of public ids made of the primary key, such as `pay_`, for the search."""

    id_prefix = ""
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Row], search_term: str
    ) -> tuple[QuerySet[Row], bool]:
        try:
            if self.id_prefix:
                return queryset.filter(pk=identifiers.uuid_of(search_term.strip(), self.id_prefix)), False
        except ValueError:
            pass
        return super().get_search_results(request, queryset, search_term)


class ChangedFieldsAdmin(admin.ModelAdmin[Row]):
    """Saves the fields that the form changed, and leaves what else happened to the row meanwhile."""

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: bool) -> None:
        columns = {field.name for field in obj._meta.concrete_fields}
        obj.save(update_fields=columns.intersection(form.changed_data) if change else None)


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]
    def save(self, commit: bool = True) -> User:
        """Only the password, as above."""
        user: User = super().save(commit=False)
        user.save(update_fields=["password"])
        return user


class MembershipInline(admin.TabularInline[Membership, Model]):
    model = Membership
    extra = 0
    can_delete = False
    fields = ["user", "organization", "role", "created_at"]
    readonly_fields = ["user", "organization", "role", "created_at"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(User)
class UserAdmin(ChangedFieldsAdmin[User], DjangoUserAdmin[User]):
    change_password_form = PasswordForm
    list_display = ["email", "name", "is_staff", "is_active", "last_login", "created_at"]
    list_filter = ["is_staff", "is_active"]
    search_fields = ["email", "name", "memberships__organization__public_id", "memberships__organization__auth_id"]
    ordering = ["-created_at"]
    readonly_fields = ["last_login", "created_at"]
    raw_id_fields = ["current_organization"]
    fieldsets = [
        (None, {"fields": ["email", "password", "name", "timezone", "current_organization"]}),
        ("Access", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("Dates", {"fields": ["last_login", "created_at"]}),
    ]
    inlines = [MembershipInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People sign up, and `manage.py createsuperuser` makes operators."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


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


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin[Invitation]):
    """Invitations are looked at and revoked."""

    id_prefix = "inv_"
    list_display = ["email", "role", "organization", "state", "invited_by", "created_at", "sent_at", "expires_at"]
    list_filter = ["role", ("accepted_at", admin.EmptyFieldListFilter), ("sent_at", admin.EmptyFieldListFilter)]
    list_select_related = ["organization", "invited_by"]
    search_fields = ["email", "organization__public_id", "organization__auth_id", "invited_by__email"]
    ordering = ["-created_at"]
    actions = ["revoke"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [
            *("public_id", "email", "role", "organization", "state", "invited_by"),
            *("created_at", "sent_at", "expires_at", "accepted_at", "revoked_at"),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """For the action; every field is to look at."""
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    @admin.display(description="status")
    def state(self, invitation: Invitation) -> str:
        return invitation.status(timezone.now())

    @admin.action(description="Revoke the selected invitations", permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[Invitation]) -> None:
        for invitation in chosen:
            try:
                invitations.revoke(invitation)
            except Conflict as error:
                self.message_user(request, f"{invitation.email}: {error}", messages.WARNING)


class SecurityPolicyForm(forms.ModelForm[SecurityPolicy]):
    def clean_allowed_networks(self) -> list[str]:
        return self._each("allowed_networks", addresses.network)

    def clean_allowed_email_domains(self) -> list[str]:
        return self._each("allowed_email_domains", security.email_domain)

    def _each(self, field: str, normal: Callable[[str], str]) -> list[str]:
        try:
            return [normal(text) for text in self.cleaned_data[field] or []]
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(SecurityPolicy)
class SecurityPolicyAdmin(ChangedFieldsAdmin[SecurityPolicy]):
    """For customers who have locked themselves out."""

    form = SecurityPolicyForm
    list_display = ["organization", "allowed_networks", "allowed_email_domains", "longest_key_life_days"]
    list_select_related = ["organization"]
    search_fields = [
        "organization__name",
        "organization__public_id",
        "organization__auth_id",
        "organization__memberships__user__email",
    ]
    ordering = ["organization"]
    fields = [
        "organization",
        "allowed_networks",
        "allowed_email_domains",
        "longest_key_life_days",
        "require_two_factor",
    ]
    readonly_fields = ["organization", "require_two_factor"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin[Event]):
    id_prefix = "evt_"
    list_display = ["public_id", "type", "organization", "created_at"]
    list_filter = ["type", "created_at"]
    list_select_related = ["organization"]
    search_fields = ["organization__name", "organization__public_id", "organization__auth_id"]
    ordering = ["-id"]
