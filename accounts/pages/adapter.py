from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib import messages
from django.http import HttpRequest
from django.shortcuts import redirect

from accounts import people
from accounts.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Signing up in the browser is the same use case as in the API."""

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        user.email = form.cleaned_data["email"]
        user.name = form.cleaned_data["name"]
        user.timezone = form.cleaned_data["timezone"]
        user.set_password(form.cleaned_data["password1"])
        try:
            people.sign_up(user)
        except people.EmailTaken as error:  # of two sign-ups at once, the form saw neither
            messages.error(request, str(error))
            raise ImmediateHttpResponse(redirect("account_signup")) from error
        return user

    def set_password(self, user: User, password: str) -> None:
        """Only the password: a deactivation that came meanwhile stays."""
        user.set_password(password)
        user.save(update_fields=["password"])
