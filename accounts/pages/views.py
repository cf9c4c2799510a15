from datetime import timedelta
from typing import Any

from allauth.account import views as allauth
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.generic import ListView, UpdateView
from django.views.generic.base import View

from accounts import people
from accounts.credentials import Kind
from accounts.models import Organization, User
from accounts.pages.forms import ProfileForm
from accounts.pages.invitations import token_in
from accounts.pages.organizations import OrganizationMixin


class HomeView(View):
    """Leads to the overview of the person's current organization."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if not isinstance(request.user, User):
            return render(request, "accounts/landing.html")
        organization = people.current_organization(request.user)
        if organization is None:
            return redirect("organizations")
        return redirect("usage:overview", organization.public_id)


class SignupView(allauth.SignupView):  # type: ignore[misc]
    """allauth's page. The page of an invitation links to it with `?invitation=` and the token.

    Whoever comes from there through the sign-in page has the token in `next`.
    """

    def get_initial(self) -> dict[str, Any]:
        token = self.request.GET.get("invitation") or token_in(self.request.GET.get("next", ""))
        return {**super().get_initial(), "invitation": token}


class OrganizationsView(LoginRequiredMixin, ListView[Organization]):
    """All organizations that the person may see."""

    template_name = "accounts/organizations.html"
    paginate_by = 50

    def get_queryset(self) -> QuerySet[Organization]:
        assert isinstance(self.request.user, User)
        return Organization.objects.visible_to(self.request.user).select_related("parent").order_by("name", "pk")


class SwitchView(OrganizationMixin):
    """Go to an organization, which is also the current one at the next sign-in."""

    scopes = {"post": "account:read"}

    @transaction.atomic
    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        people.switch(self.person, self.organization)
        people.tell_sign_in(self.person, self.organization, "switched", Kind.SESSION)
        return redirect("usage:overview", organization)


class ProfileView(LoginRequiredMixin, UpdateView[User, ProfileForm]):
    """The person's name, and the time zone of the dates on their pages."""

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
        messages.success(self.request, "Your profile is saved.")
        return redirect("profile")

    def form_invalid(self, form: ProfileForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=400)


class ThemeView(View):
    """The colours of the pages, light or dark or as the system has them; kept in a cookie of this browser."""

    def post(self, request: HttpRequest) -> HttpResponse:
        following = request.POST.get("next", "")
        is_ours = url_has_allowed_host_and_scheme(following, allowed_hosts=None)
        response = redirect(following if is_ours else "home")
        theme = request.POST.get("theme")
        if theme in ("light", "dark"):
            response.set_cookie("theme", theme, max_age=timedelta(days=365), samesite="Lax", httponly=True)
        else:
            response.delete_cookie("theme", samesite="Lax")
        return response
