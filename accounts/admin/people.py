from collections.abc import Iterable
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm
from django.db.models import ManyToManyField
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest

from accounts.admin import privileges
from accounts.admin.base import ChangedFieldsAdmin
from accounts.admin.memberships import MembershipInline
from accounts.models import User

# An address is changed at its user. allauth's copy of it would be a second place to change it. Second factors are
# removed at their person, by an action.
admin.site.unregister(EmailAddress)
admin.site.unregister(Authenticator)


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]
    def save(self, commit: bool = True) -> User:
        """Saves only the password, so that a deactivation that came meanwhile stays."""
        user: User = super().save(commit=False)
        user.save(update_fields=["password"])
        return user


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

    tells_values = False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """allauth would go on accepting the former address, from its copy."""
        super().save_model(request, obj, form, change)
        EmailAddress.objects.filter(user=obj).exclude(email=obj.email).delete()

    def identify(self, obj: User) -> dict[str, Any]:
        return {"user": obj.pk}

    def concerned(self, obj: User) -> Iterable[UUID]:
        return obj.memberships.values_list("organization_id", flat=True)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """The password page checks this too, so nobody can set the password of someone with more privileges."""
        may_change = super().has_change_permission(request, obj)
        return may_change and (obj is None or not privileges.is_above(obj, request.user))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Only superusers make operators and superusers."""
        flags = [] if request.user.is_superuser else ["is_staff", "is_superuser"]
        return [*super().get_readonly_fields(request, obj), *flags]

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: HttpRequest, **options: Any
    ) -> ModelMultipleChoiceField[Any] | None:
        """Offers what the operator holds. That loses nothing, since those who hold more can't be edited."""
        if db_field.name == "groups":
            options["queryset"] = privileges.grantable_groups(request.user)
        if db_field.name == "user_permissions":
            options["queryset"] = privileges.of(request.user).select_related("content_type")
        return super().formfield_for_manytomany(db_field, request, **options)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People sign up, and `manage.py createsuperuser` makes operators."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
