"""The pages of one's own address: a new one, the code that proves it, and taking a change back."""

from typing import Any
from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.generic import FormView
from django.views.generic.base import View

from accounts import email_changes, password_reset
from accounts.lib.addresses import caller_network
from accounts.lib.problems import Problem
from accounts.models import User
from accounts.pages.forms import CodeForm, EmailForm, refuse
from accounts.pages.sessions import current_of

ASKED = "email_change"  # in the session: the attempt whose code is awaited, and its new address


@method_decorator(reauthentication_required, name="dispatch")
class ChangeEmailView(LoginRequiredMixin, FormView[EmailForm]):
    """Asks for the new address. The same one is proved."""

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
        asked = self.request.session[ASKED]
        try:
            email_changes.finish(
                self.request.user,
                asked["email"],
                form.cleaned_data["code"],
                only=UUID(asked["id"]),
                network=caller_network(self.request),
                current=current_of(self.request),
                now=timezone.now(),
            )
        except Problem as problem:
            refuse(form, problem)
            return self.render_to_response(self.get_context_data(form=form), status=problem.status)
        del self.request.session[ASKED]
        messages.success(self.request, "Your address is proved.")
        return redirect("profile")

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(email=self.request.session[ASKED]["email"], **context)


class UndoEmailView(View):
    """What the link in the email to the old address opens. GET asks, POST takes the change back."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._answer(request, request.GET.get("token", ""))

    def post(self, request: HttpRequest) -> HttpResponse:
        token = request.POST.get("token", "")
        try:
            user = email_changes.undo(token, timezone.now())
        except Problem:
            return self._answer(request, token)
        password_reset.request(user.email)
        messages.success(request, f"{user.email} is back. We sent a link there to choose a new password.")
        return redirect("account_login")

    def _answer(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            change = email_changes.find(token, timezone.now())
        except Problem as problem:
            context = {"status": problem.status, "title": "Not possible", "detail": str(problem)}
            return render(request, "error.html", context, status=problem.status)
        return render(request, "account/undo_email.html", {"old": change.old, "token": token})
