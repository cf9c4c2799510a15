from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.generic.base import View

from accounts import email_changes, password_reset
from accounts.lib.languages import sentence
from accounts.lib.problems import Problem
from apikeys import recoveries


class UndoEmailView(View):
    """The page that the link in the email to the old address opens. GET asks, POST takes the change back."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._answer(request, request.GET.get("token", ""))

    def post(self, request: HttpRequest) -> HttpResponse:
        token = request.POST.get("token", "")
        try:
            user = recoveries.undo_email_change(token, timezone.now())
        except Problem:
            return self._answer(request, token)
        password_reset.request(user.email)
        messages.success(
            request,
            gettext("%(email)s is back. We sent a link there to choose a new password.") % {"email": user.email},
        )
        return redirect("account_login")

    def _answer(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            change = email_changes.find(token, timezone.now())
        except Problem as problem:
            context = {"status": problem.status, "title": gettext("Not possible"), "detail": sentence(problem)}
            return render(request, "error.html", context, status=problem.status)
        return render(request, "account/undo_email.html", {"old": change.old, "token": token})
