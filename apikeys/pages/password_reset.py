from http import HTTPStatus
from typing import Any

from allauth.account.views import PasswordResetFromKeyView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from accounts import sign_in_limits, takeovers
from accounts.lib.addresses import caller_network
from accounts.pages.refusals import refused
from accounts.sign_in_limits import TooManyFailures
from apikeys import recoveries


class NewPasswordView(PasswordResetFromKeyView):  # type: ignore[misc]
    """allauth's page. Its link came by email, so it also proves the address. Wrong links count as guesses."""

    def dispatch(self, request: HttpRequest, uidb36: str, key: str, **kwargs: Any) -> HttpResponseBase:
        """A right link leads on to the form, whose address has no key in it any more."""
        answer: HttpResponseBase
        if key == self.reset_url_key:
            answer = super().dispatch(request, uidb36, key, **kwargs)
            return answer
        try:
            attempt = sign_in_limits.begin("reset link", caller_network(request))
        except TooManyFailures as error:
            return refused(request, error.problem)
        answer = super().dispatch(request, uidb36, key, **kwargs)
        if answer.status_code == HTTPStatus.FOUND:
            attempt.take_back()
        return answer

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        if takeovers.is_needed(self.reset_user):
            recoveries.take_over(self.reset_user, timezone.now())
        answer: HttpResponse = super().form_valid(form)
        return answer
