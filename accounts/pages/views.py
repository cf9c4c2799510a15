from datetime import timedelta
from typing import Any
from uuid import UUID

from allauth.account import views as allauth
from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language_from_request, gettext
from django.views.generic import FormView, ListView, UpdateView
from django.views.generic.base import View

from accounts import accepting, people, sign_up
from accounts.credentials import Kind
from accounts.lib import languages, texts
from accounts.lib.addresses import caller_network
from accounts.lib.problems import NotFound, Problem, TooManyRequests
from accounts.models import Organization, User
from accounts.pages.forms import CodeForm, ProfileForm, SignupForm, refuse
from accounts.pages.invitations import token_in
from accounts.pages.organizations import OrganizationMixin
from accounts.pages.providers import ProvidersMixin
from accounts.pages.refusals import refused

STARTED = "sign_up"  # in the session: the sign-up whose code is awaited


class HomeView(View):
    """Leads to the overview of the person's current organization; operators who are in none come to the admin."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if not isinstance(request.user, User):
            return render(request, "accounts/landing.html")
        organization = people.current_organization(request.user)
        if organization is None:
            return redirect("admin:index" if request.user.is_staff else "organizations")
        return redirect("usage:overview", organization.public_id)


class LoginView(ProvidersMixin, allauth.LoginView):  # type: ignore[misc]
    """allauth's page, with the providers that sign people in."""


class PasswordResetView(allauth.PasswordResetView):  # type: ignore[misc]
    """allauth's page. People who sign in elsewhere come here to choose their first password, and it tells them so."""

    def get_initial(self) -> dict[str, Any]:
        user = self.request.user
        return {"email": user.email} if isinstance(user, User) else {}


class SignupView(ProvidersMixin, allauth.SignupView):  # type: ignore[misc]
    """allauth's page. The page of an invitation links to it with `?invitation=` and the token.

    Whoever comes from there through the sign-in page has the token in `next`.
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        token = request.POST.get("invitation") or self._token()
        try:
            if token:
                accepting.look_up(token, caller_network(request))
        except TooManyRequests as problem:
            return refused(request, problem)
        except NotFound:
            pass  # the form says what becomes of it
        answer: HttpResponse = super().dispatch(request, *args, **kwargs)
        return answer

    def get_initial(self) -> dict[str, Any]:
        return {**super().get_initial(), "invitation": self._token()}

    def _token(self) -> str:
        return self.request.GET.get("invitation") or token_in(self.request.GET.get("next", ""))

    def form_valid(self, form: SignupForm) -> HttpResponse:
        """Where addresses are verified, the account is made once the code comes back."""
        if not settings.EMAIL_VERIFICATION:
            answer: HttpResponse = super().form_valid(form)
            return answer
        try:
            sent = sign_up.begin(
                form.unsaved_user(),
                organization_name=form.cleaned_data.get("organization_name", ""),
                invitation=form.cleaned_data["invitation"],
                network=caller_network(self.request),
                now=timezone.now(),
            )
        except Problem as problem:  # too many codes, or the invitation was revoked since the form was checked
            refuse(form, problem)
            refused: HttpResponse = self.form_invalid(form)
            return refused
        self.request.session[STARTED] = {"id": str(sent.pk), "email": sent.email, "next": self.get_next_url() or ""}
        return redirect("account_verify")


class VerifyView(FormView[CodeForm]):
    """Where the code of a sign-up is typed in: only the one that was sent for the sign-up of this browser."""

    template_name = "account/verify.html"
    form_class = CodeForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if STARTED not in request.session:
            return redirect("account_signup")
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: CodeForm) -> HttpResponse:
        started = self.request.session[STARTED]
        try:
            user, _ = sign_up.finish(
                started["email"],
                form.cleaned_data["code"],
                network=caller_network(self.request),
                now=timezone.now(),
                only=UUID(started["id"]),
            )
        except Problem as problem:
            refuse(form, problem)
            return self.form_invalid(form)
        del self.request.session[STARTED]
        login = Login(user=user, redirect_url=started["next"] or None, signup=True)
        answer: HttpResponse = perform_password_login(self.request, {"email": user.email}, login)
        return answer

    def form_invalid(self, form: CodeForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=400)

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(email=self.request.session[STARTED]["email"], **context)


class OrganizationsView(LoginRequiredMixin, ListView[Organization]):
    """All organizations that the person may see, or those with `q` in their name or as their id."""

    template_name = "accounts/organizations.html"
    paginate_by = 50

    def get_queryset(self) -> QuerySet[Organization]:
        assert isinstance(self.request.user, User)
        visible = Organization.objects.visible_to(self.request.user).select_related("parent").order_by("name", "pk")
        text = texts.typed(self.request.GET.get("q", ""))
        return visible.filter(Q(name__icontains=text) | Q(public_id=text) | Q(auth_id=text)) if text else visible

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(search=texts.typed(self.request.GET.get("q", "")), **context)


class SwitchView(OrganizationMixin):
    """Go to an organization, which is also the current one at the next sign-in."""

    scopes = {"post": "account:read"}

    @transaction.atomic
    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        people.switch(self.person, self.organization)
        people.tell_sign_in(self.person, self.organization, "switched", Kind.SESSION)
        return redirect("usage:overview", organization)


class ProfileView(LoginRequiredMixin, UpdateView[User, ProfileForm]):
    """The person's name and language, and the time zone of the dates on their pages."""

    template_name = "accounts/profile.html"
    form_class = ProfileForm

    def get_object(self, queryset: QuerySet[User] | None = None) -> User:
        assert isinstance(self.request.user, User)
        return User.objects.get(pk=self.request.user.pk)

    @transaction.atomic
    def form_valid(self, form: ProfileForm) -> HttpResponse:
        form.instance.save(update_fields=form.changed_data)
        if form.changed_data:
            person = form.instance.pk
            changes = {"user": person, "fields": form.changed_data, "actor": f"user:{person}"}
            people.tell(form.instance, "user.changed", changes)
        languages.activate(form.instance.language or get_language_from_request(self.request))
        messages.success(self.request, gettext("Your profile is saved."))
        response = redirect("profile")
        if "language" in form.changed_data:
            _remember_language(response, form.instance.language)
        return response

    def form_invalid(self, form: ProfileForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=400)


def _remember_language(response: HttpResponse, language: str) -> None:
    """In this browser, for the pages before signing in."""
    if language:
        age = timedelta(days=365)
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, max_age=age, samesite="Lax", httponly=True)
    else:
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME, samesite="Lax")


class ThemeView(View):
    """The colours of the pages, light or dark or as the system has them; kept in a cookie of this browser."""

    def post(self, request: HttpRequest) -> HttpResponse:
        following = request.POST.get("next", "")
        is_ours = following.startswith("/") and url_has_allowed_host_and_scheme(following, allowed_hosts=None)
        response = HttpResponseRedirect(following if is_ours else reverse("home"))
        theme = request.POST.get("theme")
        if theme in ("light", "dark"):
            response.set_cookie("theme", theme, max_age=timedelta(days=365), samesite="Lax", httponly=True)
        else:
            response.delete_cookie("theme", samesite="Lax")
        return response
