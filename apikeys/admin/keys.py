from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import scopes
from accounts.admin import RecordedAdmin
from accounts.admin.search import exactly, owner_fields
from accounts.lib import form_ids
from accounts.lib.languages import sentence, translated
from apikeys import keys
from apikeys.models import ApiKey, ApiKeySecret


class SecretInline(admin.TabularInline[ApiKeySecret, ApiKey]):
    """The part of a key's secrets that may be shown, without their digests."""

    model = ApiKeySecret
    extra = 0
    can_delete = False
    fields = ["hint", "created_at", "expires_at"]
    readonly_fields = ["hint", "created_at", "expires_at"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PlatformKeyForm(forms.ModelForm[ApiKey]):
    form_id = forms.CharField(initial=form_ids.new, widget=forms.HiddenInput)
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in sorted(scopes.PLATFORM)],
        initial=sorted(scopes.GATEWAY),
        widget=forms.CheckboxSelectMultiple,
        label=_("Permissions"),
        help_text=_(
            "Those of a gateway are chosen. A backend that acts for customers needs one of provisioning:… too."
        ),
    )

    def clean_form_id(self) -> UUID:
        try:
            return form_ids.read(self.cleaned_data["form_id"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(ApiKey)
class ApiKeyAdmin(RecordedAdmin[ApiKey]):
    """Operators can see and revoke keys, and add platform keys. Customers create their own keys."""

    list_display = [
        "name",
        "public_id",
        "organization",
        "environment",
        "state",
        "created_by",
        "created_at",
        "last_used_at",
    ]
    list_filter = ["environment", ("organization", admin.EmptyFieldListFilter)]
    list_select_related = ["organization", "created_by"]
    search_fields = [
        *exactly("public_id", "secrets__hint", "created_by__email"),
        *("secrets__hint__startswith", "name"),
        *owner_fields("organization"),
    ]
    ordering = ["-created_at"]
    actions = ["revoke"]

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return ["name", "scopes", "form_id"]
        return [
            *("name", "public_id", "organization", "created_by", "description", "environment", "permissions", "state"),
            *("monthly_budget", "created_at", "expires_at", "disabled_at", "revoked_at", "last_used_at"),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return list(self.get_fields(request, obj)) if obj else []

    def get_inlines(self, request: HttpRequest, obj: ApiKey | None) -> list[type[SecretInline]]:  # type: ignore[override]
        return [SecretInline] if obj else []

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A platform key acts for every organization and moves credits: more than any permission here allows."""
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="status")
    def state(self, key: ApiKey) -> str:
        return translated(key.status(timezone.now()).capitalize())

    @admin.action(description="Revoke the selected keys", permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        for key in chosen:
            with transaction.atomic():
                keys.revoke(key)
                self.note(request, key, "api_key.revoked")
        self.message_user(request, _("Revoked: %(number)s. Their next request is refused.") % {"number": len(chosen)})

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **options: Any) -> Any:
        form = PlatformKeyForm if obj is None else self.form
        return super().get_form(request, obj, change, **{**options, "form": form})

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        try:
            return super().add_view(request, form_url, extra_context)
        except keys.KeyMadeAlready as problem:  # the page with the secret was reloaded
            self.message_user(request, sentence(problem), messages.WARNING)
            return redirect("admin:apikeys_apikey_changelist")

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Only adding saves anything. The secret is shown on the next page, and nowhere else."""
        if not change:
            made, form.secret = keys.create_platform(
                obj.name, form.cleaned_data["scopes"], id=form.cleaned_data["form_id"]
            )
            obj.__dict__.update(made.__dict__)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        request.platform_key_secret = getattr(form, "secret", "")  # type: ignore[attr-defined]
        super().save_related(request, form, formsets, change)

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Platform key"),
            "key": obj,
            "secret": request.platform_key_secret,  # type: ignore[attr-defined]
            "opts": self.opts,
        }
        response = render(request, "admin/apikeys/secret.html", context)
        response["Cache-Control"] = "no-store"
        return response
