"""The email with a link to choose a new password.

The page only queues the address. Whether it has an account is looked up when the email is made, so that the page takes
as long for an unknown address as for a known one.
"""

from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.urls import reverse

from accounts import emails
from accounts.models import User

TEMPLATE = "password_reset"


def request(email: str) -> None:
    emails.queue(TEMPLATE, to=email, context={})


def email_context(to: str, queued: emails.Context) -> dict[str, Any] | None:
    """None if the address has no active account: a stranger gets no email."""
    user = User.objects.filter(email=to, is_active=True).first()
    if user is None:
        return None
    link = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
    return {"email": to, "reset_url": settings.BASE_URL + reverse("account_reset_password_from_key", kwargs=link)}
