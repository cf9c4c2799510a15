from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import ChangePasswordForm as AllauthChangePasswordForm
from allauth.account.forms import ResetPasswordForm as AllauthResetPasswordForm
from allauth.account.forms import SignupForm as AllauthSignupForm
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import accepting, password_reset
from accounts.lib import languages, timezones
from accounts.lib.languages import sentence, translated
from accounts.lib.problems import NotFound, Problem
from accounts.models import Invitation, User


class SignupForm(AllauthSignupForm):  # type: ignore[misc]
    """Sign-up by email and password, with an organization of one's own or by an invitation.

    The browser fills in `timezone` if it runs our script. Otherwise it is UTC, and the profile changes it.
    """

    name = forms.CharField(max_length=100, required=False, label=_("Your name"))
    organization_name = forms.CharField(
        max_length=100,
        required=False,
        label=_("Organization"),
        help_text=_("Your company, say. If empty, it has your name."),
    )
    timezone = forms.CharField(required=False, widget=forms.HiddenInput(attrs={"data-timezone": True}))
    invitation = forms.CharField(required=False, widget=forms.HiddenInput)
    field_order = ["name", "organization_name", "email", "password1", "timezone", "invitation"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
        self.fields["name"].widget.attrs["autocomplete"] = "name"
        self.fields["organization_name"].widget.attrs["autocomplete"] = "organization"
        self.fields["password1"].help_text = gettext(
            "At least 12 characters: several unrelated words, and not your name."
        )
        self.accepted = _pending(self.data.get("invitation") or self.initial.get("invitation", ""))
        if self.accepted:
            del self.fields["organization_name"]
            self.fields["email"].initial = self.accepted.email

    def clean_email(self) -> str:
        email: str = super().clean_email()
        if self.accepted and email != self.accepted.email:
            raise ValidationError(translated(accepting.InvitationEmailMismatch.detail))
        return email

    def validate_unique_email(self, value: str) -> str:
        """If addresses are verified, a taken one gets an email that says so, and the page doesn't reveal it."""
        if settings.EMAIL_VERIFICATION:
            return value
        email: str = super().validate_unique_email(value)
        return email

    def unsaved_user(self) -> User:
        user = User(**{field: self.cleaned_data[field] for field in ("email", "name", "timezone")})
        user.language = languages.of_page()
        user.set_password(self.cleaned_data["password1"])
        return user

    def clean_timezone(self) -> str:
        name: str = self.cleaned_data["timezone"]
        return name if name in timezones.names() else "UTC"


def _pending(token: str) -> Invitation | None:
    """The invitation that can still be accepted with this token."""
    try:
        invitation = accepting.find(token)
    except NotFound:
        return None
    return invitation if invitation.status(timezone.now()) == "pending" else None


class ResetPasswordForm(AllauthResetPasswordForm):  # type: ignore[misc]
    """Queues the address without looking it up, so that a known one takes no longer than an unknown one."""

    def clean_email(self) -> str:
        email: str = get_adapter().clean_email(self.cleaned_data["email"])
        return email

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        email: str = self.cleaned_data["email"]
        password_reset.request(email)
        return email


class ChangePasswordForm(AllauthChangePasswordForm):  # type: ignore[misc]
    """Wrong passwords here and at signing in count together."""

    def clean_oldpassword(self) -> str:
        password: str = self.cleaned_data["oldpassword"]
        if not get_adapter().reauthenticate(self.user, password):
            raise get_adapter().validation_error("enter_current_password")
        return password


class CodeForm(forms.Form):
    """For a code that was sent by email, with or without spaces."""

    code = forms.CharField(
        label=_("Code"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )


class EmailForm(forms.Form):
    email = forms.EmailField(max_length=250, label=_("Email"), widget=forms.EmailInput(attrs={"autocomplete": "email"}))

    def clean_email(self) -> str:
        email: str = get_adapter().clean_email(self.cleaned_data["email"])
        return email


class ProfileForm(forms.ModelForm[User]):
    language = forms.ChoiceField(
        required=False,
        label=_("Language"),
        help_text=_("Of these pages and of emails to you. The API always speaks English."),
        choices=[("", _("As the browser asks")), *settings.LANGUAGES],
    )
    timezone = forms.ChoiceField(
        label=_("Time zone"), help_text=_("Days and months begin in this zone, and times are shown in it.")
    )

    class Meta:
        model = User
        fields = ["name", "language", "timezone"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["timezone"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, name.replace("_", " ")) for name in sorted(timezones.names())]


def refuse(form: forms.Form, problem: Problem) -> None:
    """Show a refusal at the fields that it names, or above the form if it names none that the form has."""
    for error in problem.errors:
        field = error["pointer"].removeprefix("/")
        form.add_error(field if field in form.fields else None, translated(error["detail"]))
    if not problem.errors:
        form.add_error(None, sentence(problem))
