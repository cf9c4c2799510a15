from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from accounts import accepting, emails, people, second_factors, sign_in_limits, sign_ins
from accounts.credentials import Kind
from accounts.lib import languages, mailboxes
from accounts.lib.addresses import caller_network
from accounts.lib.languages import sentence
from accounts.lib.problems import Problem
from accounts.models import User
from accounts.origins import origin_of


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Connects allauth's pages with our own verbs, which the API uses too."""

    site_name = "Tollgate"

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        user.email = form.cleaned_data["email"]
        user.name = form.cleaned_data["name"]
        user.timezone = form.cleaned_data["timezone"]
        user.language = languages.of_page()
        user.set_password(form.cleaned_data["password1"])
        try:
            _sign_up(user, form)
        except Problem as problem:  # something changed since the form was checked
            messages.error(request, sentence(problem))
            raise ImmediateHttpResponse(redirect("account_signup")) from problem
        return user

    def clean_email(self, email: str) -> str:
        """Its normal form, which may be longer than what was typed."""
        try:
            normal = mailboxes.normalize(email)
        except ValueError as error:
            raise ValidationError(gettext("Enter a valid email address.")) from error
        if len(normal) > mailboxes.LONGEST:
            raise ValidationError(gettext("At most %(count)s characters.") % {"count": mailboxes.LONGEST})
        return normal

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """The active person with this email and password, at the API too. `TooManyFailures` after too many."""
        try:
            credentials["email"] = mailboxes.normalize(credentials["email"])
        except ValueError:  # an address that has no normal form is nobody's
            return None
        attempt = sign_in_limits.begin(credentials["email"], caller_network(request), person=credentials["email"])
        user = super().authenticate(request, **credentials)
        if user and attempt.succeeded(user):
            sign_ins.warn(user, origin_of(request), timezone.now())
        return user

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Does nothing: allauth would count by the Host header here, which the caller can choose."""

    def login(self, request: HttpRequest, user: User) -> None:
        with transaction.atomic():
            super().login(request, user)
            people.tell_sign_in(user, people.current_organization(user), "started", Kind.SESSION)
        if sign_in_limits.remember(user, caller_network(request)):
            sign_ins.warn(user, origin_of(request), timezone.now())

    def logout(self, request: HttpRequest) -> None:
        user = request.user
        with transaction.atomic():
            super().logout(request)
            if isinstance(user, User):
                people.tell_sign_in(user, people.current_organization(user), "ended", Kind.SESSION)

    def is_safe_url(self, url: str) -> bool:
        """Only a path of ours. allauth would also take `http://` of our own host, and every port of it."""
        return url.startswith("/") and bool(super().is_safe_url(url))

    def reauthenticate(self, user: User, password: str) -> bool:
        """allauth would look the address up among copies of its own."""
        return bool(self.authenticate(context.request, email=user.email, password=password) == user)

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """People with a second factor confirm with it. Otherwise a stolen password would be enough to remove it.

        People who only have passkeys see the page for passkeys first. People with neither a factor nor a password, who
        sign in elsewhere, choose a password by a link that we email them.
        """
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if methods and not Authenticator.objects.filter(user=user, type=second_factors.TOTP).exists():
            methods.sort(key=lambda method: "webauthn" not in method["id"])
        chosen = [method for method in methods if method["id"].startswith("mfa")] or methods
        return chosen or [{"id": "choose_password", "description": "", "url": reverse("account_reset_password")}]

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address by which limits count. It is never empty, not even on a unix socket."""
        return caller_network(request)

    def send_notification_mail(
        self, template_prefix: str, user: User, details: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """allauth would look the address up among copies of its own."""
        super().send_notification_mail(template_prefix, user, details, email or user.email)

    def send_mail(self, template_prefix: str, email: str, details: dict[str, Any]) -> None:
        """All of allauth's emails go through the outbox."""
        site = {"name": self.site_name, "domain": urlsplit(settings.BASE_URL).netloc}
        message = self.render_mail(template_prefix, email, {"email": email, "current_site": site, **details})
        emails.queue("message", to=email, context={"subject": str(message.subject), "body": str(message.body)})

    def set_password(self, user: User, password: str) -> None:
        """Saves only the password, so that a concurrent deactivation isn't lost."""
        user.set_password(password)
        with transaction.atomic():
            user.save(update_fields=["password"])
            people.tell(user, "password.changed", {})
        sign_in_limits.forgive(user.email)


def _sign_up(user: User, form: Any) -> None:
    if form.accepted:
        accepting.sign_up(user, form.cleaned_data["invitation"])
    else:
        people.sign_up(user, organization_name=form.cleaned_data["organization_name"])
