"""Where the sandbox's own pages are: what Stripe has on checkout.stripe.com and hooks.stripe.com."""

from django.conf import settings


def session_url(id: str) -> str:
    return f"{settings.BASE_URL}/sandbox/sessions/{id}/"


def authentication_url(id: str) -> str:
    return f"{settings.BASE_URL}/sandbox/authentications/{id}/"
