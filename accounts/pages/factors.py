"""The pages for second factors. They are allauth's, with what follows from a change: other sign-ins end, an event."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from allauth.account.views import ReauthenticateView
from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.base.views import IndexView
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from allauth.mfa.webauthn.views import (
    AddWebAuthnView,
    LoginWebAuthnView,
    ReauthenticateWebAuthnView,
    RemoveWebAuthnView,
)
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext

from accounts import people, second_factors, sign_ins
from accounts.lib.addresses import caller_network
from accounts.models import User
from accounts.pages.providers import linked
from accounts.pages.sessions import current_of


class CodeMixin:
    """Counts codes entered here and at the API together."""

    user: User
    cleaned_data: dict[str, Any]

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        self.authenticator = second_factors.check_code(self.user, code, caller_network(context.request))
        if self.authenticator is None:
            raise get_adapter().validation_error("incorrect_code")
        return code


class AuthenticateCodeForm(CodeMixin, AuthenticateForm):  # type: ignore[misc]
    pass


class ReauthenticateCodeForm(CodeMixin, ReauthenticateForm):  # type: ignore[misc]
    pass


class PasskeyMixin:
    def clean_credential(self) -> Any:
        with _nonsense_refused():
            return super().clean_credential()  # type: ignore[misc]


class PasskeyForm(PasskeyMixin, LoginWebAuthnForm):  # type: ignore[misc]
    pass


class AuthenticatePasskeyForm(PasskeyMixin, AuthenticateWebAuthnForm):  # type: ignore[misc]
    pass


class ConfirmPasskeyForm(PasskeyMixin, ReauthenticateWebAuthnForm):  # type: ignore[misc]
    pass


class AddPasskeyForm(AddWebAuthnForm):  # type: ignore[misc]
    def clean(self) -> Any:
        with _nonsense_refused():
            return super().clean()


@contextmanager
def _nonsense_refused() -> Iterator[None]:
    """Refuses malformed answers of the browser, which allauth doesn't check."""
    try:
        yield
    except ValidationError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise get_adapter().validation_error("incorrect_code") from error


class PasskeyRefusal:
    """An unknown, removed or malformed passkey gets an answer that says so, and no redirect."""

    request: HttpRequest

    def form_invalid(self, form: Any) -> HttpResponse:
        detail = gettext("This passkey is not known here. Sign in another way.")
        context = {"status": 400, "title": gettext("Not possible"), "detail": detail}
        return render(self.request, "error.html", context, status=400)


class PasskeyLoginView(PasskeyRefusal, LoginWebAuthnView):  # type: ignore[misc]
    pass


class ConfirmPasskeyView(PasskeyRefusal, ReauthenticateWebAuthnView):  # type: ignore[misc]
    pass


class FactorChange:
    """A form that adds or removes a factor. The session that did it goes on, and all other sign-ins end."""

    request: HttpRequest
    event: ClassVar[str]
    factor: ClassVar[str]

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        answer: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        user, now = self.request.user, timezone.now()
        assert isinstance(user, User)
        if self.event == "second_factor.added":
            second_factors.note_use(self.request, user, self.factor)
        people.tell(user, self.event, {"factor": self.factor})
        sign_ins.end_others(user, current_of(self.request), now)
        return answer


class AddTOTPView(FactorChange, ActivateTOTPView):  # type: ignore[misc]
    event, factor = "second_factor.added", "totp"

    def form_valid(self, form: Any) -> HttpResponse:
        answer = super().form_valid(form)
        assert isinstance(self.request.user, User)
        second_factors.use_up(self.request.user, form.cleaned_data["code"])
        return answer


class RemoveTOTPView(FactorChange, DeactivateTOTPView):  # type: ignore[misc]
    event, factor = "second_factor.removed", "totp"


class AddPasskeyView(FactorChange, AddWebAuthnView):  # type: ignore[misc]
    event, factor = "second_factor.added", "passkey"

    def get_initial(self) -> dict[str, Any]:
        return {"passwordless": True}


class RemovePasskeyView(FactorChange, RemoveWebAuthnView):  # type: ignore[misc]
    event, factor = "second_factor.removed", "passkey"

    def form_valid(self, form: Any) -> HttpResponse:
        if not get_adapter().can_delete_authenticator(self.get_object()):
            form.add_error(None, get_adapter().validation_error("cannot_delete_authenticator"))
            refused: HttpResponse = self.render_to_response(self.get_context_data(form=form), status=409)
            return refused
        return super().form_valid(form)


class NewRecoveryCodesView(FactorChange, GenerateRecoveryCodesView):  # type: ignore[misc]
    event, factor = "second_factor.codes_renewed", "recovery_code"


class ConfirmPasswordView(ReauthenticateView):  # type: ignore[misc]
    """Only for people without a second factor. Others are sent to the page of their factors."""


class SecurityPageView(IndexView):  # type: ignore[misc]
    """How the person signs in, and where they are signed in."""

    template_name = "accounts/security.html"

    def get_context_data(self, **context: Any) -> Mapping[str, Any]:
        user = self.request.user
        assert isinstance(user, User)
        listed = sign_ins.of(user, current_of(self.request), timezone.now())
        made: Mapping[str, Any] = super().get_context_data(**context, **linked(user), sign_ins=listed)
        return made
