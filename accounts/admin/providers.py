from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import identity_providers, security
from accounts.admin.base import ChangedFieldsAdmin, ReadOnlyAdmin
from accounts.models import IdentityProvider, LinkedAccount, ProviderDomain
from accounts.providers.calls import networks
from accounts.webhooks import urls


class ProviderForm(forms.ModelForm[IdentityProvider]):
    domains = forms.CharField(
        widget=forms.Textarea,
        label=_("Domains"),
        help_text=_("Email domains of the organization, one a line. Make sure that they are its own."),
    )
    secret = forms.CharField(
        required=False,
        widget=forms.PasswordInput,
        label=_("Client secret"),
        help_text=_("Encrypted, and never shown. Empty: as it is."),
    )

    class Meta:
        model = IdentityProvider
        fields = ["organization", "name", "issuer", "client_id", "is_enabled"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["domains"] = "\n".join(sorted(self.instance.domains.values_list("domain", flat=True)))

    def clean_domains(self) -> list[str]:
        try:
            domains = [security.email_domain(text) for text in self.cleaned_data["domains"].split()]
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        taken = ProviderDomain.objects.filter(domain__in=domains).exclude(provider=self.instance.pk).first()
        if taken:
            raise forms.ValidationError(str(identity_providers.DomainTaken(taken.domain)))
        return list(dict.fromkeys(domains))

    def clean_issuer(self) -> str:
        issuer: str = self.cleaned_data["issuer"]
        try:
            target = urls.target(issuer, networks())
            urls.check_address(target, networks())
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return issuer

    def clean_secret(self) -> str:
        secret: str = self.cleaned_data["secret"]
        if not secret and self.instance._state.adding:
            raise forms.ValidationError(_("A new provider needs its secret."))
        return secret


@admin.register(IdentityProvider)
class IdentityProviderAdmin(ChangedFieldsAdmin[IdentityProvider]):
    """Organizations' own providers of sign-ins. The verb records the events."""

    form = ProviderForm
    list_display = ["name", "organization", "issuer", "is_enabled", "created_at"]
    list_select_related = ["organization"]
    search_fields = ["name", "issuer", "^organization__public_id", "domains__domain"]
    raw_id_fields = ["organization"]
    ordering = ["-created_at"]
    recorded = frozenset({"organization", "name", "issuer", "client_id", "is_enabled", "domains", "secret"})

    def get_readonly_fields(self, request: HttpRequest, obj: IdentityProvider | None = None) -> Any:
        return ["organization"] if obj else []

    def save_model(self, request: HttpRequest, obj: IdentityProvider, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in form.changed_data} if change else form.cleaned_data
        params = {name: values[name] for name in identity_providers.FIELDS if name in values}
        row = IdentityProvider.objects.get(pk=obj.pk) if change else obj
        domains, secret = values.get("domains"), values.get("secret", "")
        identity_providers.save(row, params, domains=domains, secret=secret, now=timezone.now())

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A provider that is no longer wanted is switched off."""
        return False


@admin.register(LinkedAccount)
class LinkedAccountAdmin(ReadOnlyAdmin[LinkedAccount]):
    """Read-only: people link and unlink their accounts themselves."""

    list_display = ["user", "provider", "label", "created_at", "last_used_at"]
    list_select_related = ["user"]
    search_fields = ["^user__email", "label", "=subject"]
    ordering = ["-created_at"]
