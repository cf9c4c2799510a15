from typing import Any

from allauth.account.views import PasswordResetFromKeyView
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone

from accounts import takeovers
from apikeys import recoveries


class NewPasswordView(PasswordResetFromKeyView):  # type: ignore[misc]
    """allauth's page. Its link came by email, so it also proves the address."""

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        if takeovers.is_needed(self.reset_user):
            recoveries.take_over(self.reset_user, timezone.now())
        answer: HttpResponse = super().form_valid(form)
        return answer
