from collections.abc import Iterable
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.db import transaction
from django.db.models import ManyToManyField, QuerySet
from django.forms import BooleanField, ModelMultipleChoiceField
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import email_changes, password_reset, sign_ins
from accounts.admin import privileges
from accounts.admin.base import ChangedFieldsAdmin
from accounts.admin.memberships import MembershipInline
from accounts.admin.search import exactly
from accounts.models import User

# An address is changed at its user. allauth's copy of it would be a second place to change it. Second factors are
# removed at their person, by an action.
admin.site.unregister(EmailAddress)
admin.site.unregister(Authenticator)


class PersonForm(UserChangeForm[User]):
    email_is_proved = BooleanField(
        label=_("The address is theirs"),
        required=False,
        help_text=_("Tick it if you know that the person reads its mail. A changed address is else proved by a code."),
    )


@admin.register(User)
class UserAdmin(ChangedFieldsAdmin[User], DjangoUserAdmin[User]):
    list_display = ["email", "name", "is_staff", "is_active", "last_login", "created_at"]
    list_filter = ["is_staff", "is_active"]
    search_fields = [
        *exactly("email", "memberships__organization__public_id", "memberships__organization__auth_id"),
        *("^email", "name"),
    ]
    ordering = ["-created_at"]
    form = PersonForm
    readonly_fields = ["email_verified_at", "last_login", "created_at"]
    raw_id_fields = ["current_organization"]
    filter_horizontal = ()  # its script makes markup that screen readers can't use
    fieldsets = [
        (
            None,
            {"fields": ["email", "email_verified_at", "email_is_proved", "name", "timezone", "current_organization"]},
        ),
        (_("Access"), {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        (_("Dates"), {"fields": ["last_login", "created_at"]}),
    ]
    inlines = [MembershipInline]
    actions = ["send_reset", "remove_factors"]

    tells_values = False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """allauth would go on accepting the former address, from its copy."""
        super().save_model(request, obj, form, change)
        if {"email", "email_is_proved"} & set(form.changed_data):
            is_proved, now = form.cleaned_data["email_is_proved"], timezone.now()
            email_changes.set_by_operator(obj, form.initial["email"], is_proved=is_proved, now=now)
        EmailAddress.objects.filter(user=obj).exclude(email=obj.email).delete()

    def identify(self, obj: User) -> dict[str, Any]:
        return {"user": obj.pk}

    def concerned(self, obj: User) -> Iterable[UUID]:
        return obj.memberships.values_list("organization_id", flat=True)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """The actions check this too: nobody can reset someone with more privileges."""
        may_change = super().has_change_permission(request, obj)
        return may_change and (obj is None or not privileges.is_above(obj, request.user))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Only superusers make operators and superusers."""
        flags = [] if request.user.is_superuser else ["is_staff", "is_superuser"]
        return [*super().get_readonly_fields(request, obj), *flags]

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: HttpRequest, **options: Any
    ) -> ModelMultipleChoiceField[Any] | None:
        """Offers the permissions that the operator has. Nothing gets lost, since people with more can't be edited."""
        if db_field.name == "groups":
            options["queryset"] = privileges.grantable_groups(request.user)
        if db_field.name == "user_permissions":
            options["queryset"] = privileges.of(request.user).select_related("content_type")
        return super().formfield_for_manytomany(db_field, request, **options)

    def get_urls(self) -> list[Any]:
        """Leaves out the page that sets a password: operators send a link, and never know a password."""
        return [url for url in super().get_urls() if url.name != "auth_user_password_change"]

    @admin.action(description="Send a link to choose a new password", permissions=["change"])
    def send_reset(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        for user in self._editable(request, chosen):
            with transaction.atomic():
                password_reset.request(user.email)
                self._keep(request, user, "password_reset")

    @admin.action(description="Remove the second factors of people who lost them", permissions=["change"])
    def remove_factors(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        for user in self._editable(request, chosen):
            with transaction.atomic():
                Authenticator.objects.filter(user=user).delete()
                sign_ins.end_others(user, sign_ins.Current(), timezone.now())
                self._keep(request, user, "second_factors")

    def _keep(self, request: HttpRequest, user: User, field: str) -> None:
        self._tell(request, user, {}, {field: None})
        self.note(request, user, "user.changed", fields=field)

    def _editable(self, request: HttpRequest, chosen: QuerySet[User]) -> list[User]:
        return [user for user in chosen if self.has_change_permission(request, user)]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People sign up, and `manage.py createsuperuser` makes operators."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
