from collections.abc import Callable

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from accounts import security
from accounts.admin.base import ChangedFieldsAdmin
from accounts.admin.search import owner_fields
from accounts.lib import addresses
from accounts.models import SecurityPolicy


class SecurityPolicyForm(forms.ModelForm[SecurityPolicy]):
    def clean_allowed_networks(self) -> list[str]:
        return self._normalized("allowed_networks", addresses.network)

    def clean_allowed_email_domains(self) -> list[str]:
        return self._normalized("allowed_email_domains", security.email_domain)

    def _normalized(self, field: str, normalize: Callable[[str], str]) -> list[str]:
        try:
            return [normalize(text) for text in self.cleaned_data[field] or []]
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(SecurityPolicy)
class SecurityPolicyAdmin(ChangedFieldsAdmin[SecurityPolicy]):
    """Lets customers in who have locked themselves out."""

    form = SecurityPolicyForm
    list_display = ["organization", "allowed_networks", "allowed_email_domains", "longest_key_life_days"]
    list_select_related = ["organization"]
    search_fields = owner_fields("organization")
    ordering = ["organization"]
    fields = [
        "organization",
        "allowed_networks",
        "allowed_email_domains",
        "longest_key_life_days",
        "longest_session_hours",
        "sign_in_methods",
        "require_two_factor",
    ]
    readonly_fields = ["organization"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: SecurityPolicy | None = None) -> bool:
        """A policy that requires nothing has empty fields."""
        return False
