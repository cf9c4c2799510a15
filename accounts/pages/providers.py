"""Signing in elsewhere: the way there, the way back, and the accounts that a person has linked.

The way there is a page of its own. A form that was answered with a redirect to the provider would be stopped by the
browser: our policy lets forms lead to our own pages only.
"""

import time
from dataclasses import asdict
from http import HTTPStatus
from types import ModuleType
from typing import Any
from uuid import UUID

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from allauth.account.models import Login
from allauth.account.utils import get_next_redirect_url
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.generic import FormView
from django.views.generic.base import View

from accounts import linked_accounts, sign_in_limits
from accounts.lib.addresses import caller_network
from accounts.lib.problems import NotFound, Problem
from accounts.models import LinkedAccount, User
from accounts.pages.forms import EmailForm
from accounts.pages.invitations import token_in
from accounts.pages.refusals import refused
from accounts.pages.sessions import current_of
from accounts.providers import github, openid, registry
from accounts.providers.calls import ProviderFailed, refuse
from accounts.providers.identities import Challenge, Identity
from accounts.providers.registry import Provider
from accounts.sign_in_limits import TooManyFailures

BEGUN = "sign_ins_elsewhere"  # in the session, by their state
MOST_BEGUN = 5  # in tabs beside each other
LIFETIME_SECONDS = 600
LOGIN, LINK = "login", "link"
LONGEST_CODE = 4096


class SignInExpired(Problem):
    """The browser comes back from a sign-in that it did not begin, or that was too long ago."""

    code = "sign_in_expired"
    detail = "This sign-in is over, or was begun in another browser. Begin again."


class SignInCancelled(Problem):
    """The provider did not sign the person in, perhaps because they did not want to."""

    code = "sign_in_cancelled"
    detail = "You were not signed in there, so nothing has changed."


def flow_of(provider: Provider) -> ModuleType:
    return openid if provider.issuer else github


def callback_of(provider: Provider) -> str:
    return settings.BASE_URL + reverse("provider-callback", args=[provider.id])


class BeginView(View):
    """Leads to the provider, to sign in, or to link the account there to the one that is signed in here."""

    def post(self, request: HttpRequest, provider: str) -> HttpResponse:
        chosen = registry.find(provider)
        if chosen is None:
            raise Http404
        process = LINK if request.POST.get("process") == LINK else LOGIN
        if process == LINK:
            raise_if_reauthentication_required(request, app="accounts")
        return leave(request, chosen, process)


def leave(request: HttpRequest, provider: Provider, process: str) -> HttpResponse:
    """The page in between."""
    challenge = Challenge.make()
    try:
        url = flow_of(provider).authorize_url(provider, challenge, callback_of(provider))
    except ProviderFailed as problem:
        return refused(request, problem)
    begun = {
        **asdict(challenge),
        "provider": provider.id,
        "process": process,
        "user": request.user.pk,
        "next": get_next_redirect_url(request) or "",
        "timezone": request.POST.get("timezone", ""),
        "at": time.time(),
    }
    kept = sorted(request.session.get(BEGUN, {}).items(), key=lambda item: item[1]["at"])[1 - MOST_BEGUN :]
    request.session[BEGUN] = {**dict(kept), challenge.state: begun}
    return render(request, "account/leaving.html", {"provider": provider, "url": url})


class OrganizationSignInView(FormView[EmailForm]):
    """Leads to the provider of the organization whose people have this address."""

    template_name = "account/organization_sign_in.html"
    form_class = EmailForm

    def form_valid(self, form: EmailForm) -> HttpResponse:
        try:
            attempt = sign_in_limits.begin("sign-in with an organization", caller_network(self.request))
        except TooManyFailures as error:
            return refused(self.request, error.problem)
        provider = registry.of_email(form.cleaned_data["email"])
        if provider is None:
            form.add_error("email", gettext("No organization signs in with addresses of this domain."))
            return self.form_invalid(form)
        answer = leave(self.request, provider, LOGIN)
        if answer.status_code == HTTPStatus.OK:
            attempt.take_back()
        return answer

    def form_invalid(self, form: EmailForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=400)


@method_decorator(never_cache, name="dispatch")
class CallbackView(View):
    """The page to which the provider sends the browser back. Any refusal is shown on a page, and nothing changes."""

    def get(self, request: HttpRequest, provider: str) -> HttpResponse:
        try:
            begun = self._begun(provider)
            chosen = registry.find(provider)
            if chosen is None:
                raise SignInExpired
            identity = self._identify(chosen, begun)
            return (
                self._link(chosen, identity, begun)
                if begun["process"] == LINK
                else self._enter(chosen, identity, begun)
            )
        except Problem as problem:
            return refused(request, problem)

    def _begun(self, provider: str) -> dict[str, Any]:
        """What this browser began with this state; returned only once."""
        kept = self.request.session.get(BEGUN, {})
        begun = kept.pop(self.request.GET.get("state", ""), None)
        self.request.session[BEGUN] = kept
        if begun is None or begun["provider"] != provider or time.time() - begun["at"] > LIFETIME_SECONDS:
            raise SignInExpired
        return dict(begun)

    def _identify(self, provider: Provider, begun: dict[str, Any]) -> Identity:
        params = self.request.GET
        if "error" in params:
            raise SignInCancelled
        if not 0 < len(params.get("code", "")) <= LONGEST_CODE:
            refuse(provider, "no code")
        try:
            attempt = sign_in_limits.begin(f"provider {provider.id}", caller_network(self.request))
        except TooManyFailures as error:
            raise error.problem from error
        challenge = Challenge(begun["state"], begun["nonce"], begun["verifier"])
        identity: Identity = flow_of(provider).identify(provider, challenge, params, callback_of(provider))
        attempt.take_back()
        return identity

    def _link(self, provider: Provider, identity: Identity, begun: dict[str, Any]) -> HttpResponse:
        """Requires both proofs: the person was signed in when it began, still is, and has just confirmed it here."""
        user = self.request.user
        if not isinstance(user, User) or user.pk != begun["user"]:
            raise SignInExpired
        raise_if_reauthentication_required(self.request, app="accounts")
        linked_accounts.link(user, provider, identity, timezone.now())
        messages.success(self.request, gettext("You can sign in with %(provider)s now.") % {"provider": provider.name})
        return redirect("mfa_index")

    def _enter(self, provider: Provider, identity: Identity, begun: dict[str, Any]) -> HttpResponse:
        """A second factor is asked for afterwards, as after a password."""
        user, is_new = linked_accounts.user_of(
            provider, identity, invitation=token_in(begun["next"]), zone=begun["timezone"], now=timezone.now()
        )
        if self.request.user.is_authenticated:
            get_adapter().logout(self.request)
        record_authentication(self.request, user, "socialaccount", provider=provider.id)
        login = Login(user=user, redirect_url=begun["next"] or None, signup=is_new)
        entered: HttpResponse = perform_login(self.request, login)
        return entered


@method_decorator(reauthentication_required, name="dispatch")
class UnlinkView(LoginRequiredMixin, View):
    def post(self, request: HttpRequest, id: UUID) -> HttpResponse:
        assert isinstance(request.user, User)
        try:
            linked_accounts.unlink(request.user, id, current_of(request), timezone.now())
        except NotFound as error:
            raise Http404 from error
        except Problem as problem:
            return refused(request, problem)
        messages.success(request, gettext("The link is removed."))
        return redirect("mfa_index")


class ProvidersMixin:
    """The buttons of the pages in front of the dashboard."""

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        made: dict[str, Any] = super().get_context_data(**context)  # type: ignore[misc]
        return {**made, "providers": registry.of_installation(), "has_organizations": registry.has_organizations()}


def linked(user: User) -> dict[str, Any]:
    """For the page Security: what is linked, and what could be."""
    rows = list(LinkedAccount.objects.filter(user=user).order_by("created_at"))
    own = registry.of_email(user.email)
    offered = [*registry.of_installation(), *([own] if own else [])]
    taken = {row.provider for row in rows}
    return {
        "linked_accounts": [{"row": row, "name": linked_accounts.name_of(row.provider)} for row in rows],
        "linkable": [provider for provider in offered if provider.id not in taken],
    }
