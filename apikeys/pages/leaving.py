"""The page on which a person asks to be erased, and takes it back.

It is here and not in `accounts`, because the person's API keys end too.
"""

from typing import Any

from allauth.account.decorators import reauthentication_required
from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import date
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, gettext_lazy
from django.views.generic.base import View

from accounts import erasure
from accounts.lib.problems import Problem
from accounts.models import User
from accounts.pages.forms import refuse
from apikeys.models import ApiKey


class DeleteForm(forms.Form):
    """Whoever deletes their account types in its address."""

    email = forms.CharField(
        max_length=250, label=gettext_lazy("Type your email address to confirm"), widget=forms.EmailInput
    )

    def __init__(self, data: Any = None, *, user: User) -> None:
        super().__init__(data)
        self.fields["email"].widget.attrs["autocomplete"] = "off"
        self.expected = user.email

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if email.strip().lower() != self.expected:
            raise ValidationError(gettext_lazy("This is not your address."))
        return email


@method_decorator(reauthentication_required, name="dispatch")
class DeleteAccountView(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(DeleteForm(user=self._person()))

    def post(self, request: HttpRequest) -> HttpResponse:
        user = self._person()
        form = DeleteForm(request.POST, user=user)
        if not form.is_valid():
            return self._page(form, status=400)
        try:
            day = erasure.request(user, timezone.now())
        except Problem as problem:
            refuse(form, problem)
            return self._page(form, status=problem.status)
        logout(request)
        until = date(day, "DATE_FORMAT")
        messages.success(request, gettext("Your account will be erased on %(day)s.") % {"day": until})
        return redirect("account_login")

    def _page(self, form: DeleteForm, status: int = 200) -> HttpResponse:
        user = self._person()
        context = {
            "form": form,
            "alone": erasure.owned_alone(user),
            "memberships": user.memberships.select_related("organization").order_by("organization__name"),
            "keys": ApiKey.objects.unrevoked().filter(created_by=user).select_related("organization"),
            "days": erasure.GRACE.days,
        }
        return render(self.request, "accounts/delete.html", context, status=status)

    def _person(self) -> User:
        assert isinstance(self.request.user, User)
        return self.request.user


class KeepAccountView(LoginRequiredMixin, View):
    def post(self, request: HttpRequest) -> HttpResponse:
        assert isinstance(request.user, User)
        if erasure.take_back(request.user):
            messages.success(request, gettext("Your account stays."))
        return redirect("profile")
