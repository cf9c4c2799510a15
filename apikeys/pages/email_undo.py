from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.generic.base import View

from accounts import email_changes, password_reset
from accounts.lib.addresses import caller_network
from accounts.lib.problems import Problem
from accounts.pages.refusals import refused
from apikeys import recoveries


class UndoEmailView(View):
    """The page that the link in the email to the old address opens. GET asks, POST takes the change back."""

    def get(self, request: HttpRequest) -> HttpResponse:
        token = request.GET.get("token", "")
        try:
            change = email_changes.look_up(token, network=caller_network(request), now=timezone.now())
        except Problem as problem:
            return refused(request, problem)
        return render(request, "account/undo_email.html", {"old": change.old, "token": token})

    def post(self, request: HttpRequest) -> HttpResponse:
        token = request.POST.get("token", "")
        try:
            email_changes.look_up(token, network=caller_network(request), now=timezone.now())
            user = recoveries.undo_email_change(token, timezone.now())
        except Problem as problem:
            return refused(request, problem)
        password_reset.request(user.email)
        messages.success(
            request,
            gettext("%(email)s is back. We sent a link there to choose a new password.") % {"email": user.email},
        )
        return redirect("account_login")
