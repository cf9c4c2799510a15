"""The pages of one's own address: a new one, and the code that proves it."""

from typing import Any
from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.generic import FormView

from accounts import email_changes
from accounts.lib.addresses import caller_network
from accounts.lib.problems import Problem
from accounts.models import User
from accounts.pages.forms import CodeForm, EmailForm, refuse
from accounts.pages.sessions import current_of

ASKED = "email_change"  # in the session: the attempt whose code is awaited, and its new address


@method_decorator(reauthentication_required, name="dispatch")
class ChangeEmailView(LoginRequiredMixin, FormView[EmailForm]):
    """Asks for the new address. Entering the current one verifies it."""

    template_name = "accounts/email.html"
    form_class = EmailForm

    def get_initial(self) -> dict[str, Any]:
        assert isinstance(self.request.user, User)
        return {"email": self.request.user.email}

    def form_valid(self, form: EmailForm) -> HttpResponse:
        assert isinstance(self.request.user, User)
        email = form.cleaned_data["email"]
        try:
            sent = email_changes.begin(
                self.request.user, email, network=caller_network(self.request), now=timezone.now()
            )
        except Problem as problem:
            refuse(form, problem)
            return self.render_to_response(self.get_context_data(form=form), status=problem.status)
        self.request.session[ASKED] = {"id": str(sent.pk), "email": email}
        return redirect("confirm-email")


class ConfirmEmailView(LoginRequiredMixin, FormView[CodeForm]):
    template_name = "accounts/confirm_email.html"
    form_class = CodeForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if ASKED not in request.session:
            return redirect("change-email")
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: CodeForm) -> HttpResponse:
        assert isinstance(self.request.user, User)
        attempt = self.request.session[ASKED]
        try:
            email_changes.finish(
                self.request.user,
                attempt["email"],
                form.cleaned_data["code"],
                only=UUID(attempt["id"]),
                network=caller_network(self.request),
                current=current_of(self.request),
                now=timezone.now(),
            )
        except Problem as problem:
            refuse(form, problem)
            return self.render_to_response(self.get_context_data(form=form), status=problem.status)
        del self.request.session[ASKED]
        messages.success(self.request, gettext("Your address is verified."))
        return redirect("profile")

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(email=self.request.session[ASKED]["email"], **context)
