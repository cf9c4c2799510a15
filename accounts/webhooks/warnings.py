"""Emails to those who can mend an endpoint that fails: at its fourth failure, half way, and when it is disabled."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_noop

from accounts import emails, scopes
from accounts.models import Membership, User, WebhookEndpoint
from accounts.webhooks.schedule import DISABLE_AFTER

FIRST_AT = 4  # failures in a row
HALF = DISABLE_AFTER / 2
SELDOM = timedelta(days=1)  # an endpoint that fails again and again is worth one email a day
MOST_READERS = 50
FIXES = "webhooks:write"

SUBJECTS = {
    "is failing": gettext_noop("A webhook endpoint of %(owner)s is failing"),
    "keeps failing": gettext_noop("A webhook endpoint of %(owner)s keeps failing"),
    "is disabled": gettext_noop("A webhook endpoint of %(owner)s is disabled"),
}
FAILING = gettext_noop(
    "The last %(failures)s attempts to reach the webhook endpoint at %(host)s (%(id)s) failed. "
    "We keep trying, and disable it after five days without a success."
)
HALF_WAY = gettext_noop(
    "The webhook endpoint at %(host)s (%(id)s) has failed since %(since)s. We disable it on %(until)s."
)
DISABLED = {
    "failing": gettext_noop(
        "The webhook endpoint at %(host)s (%(id)s) failed for five days, so it is disabled. "
        "What happens from now on is kept for 30 days: enable it to get that."
    ),
    "gone": gettext_noop(
        "The webhook endpoint at %(host)s (%(id)s) answered 410 Gone, so it is disabled. What happens from now on is "
        "kept for 30 days: enable it to get that."
    ),
}


def warn(endpoint: WebhookEndpoint, now: datetime) -> None:
    """Warns of a failing endpoint that is locked, unless that was done."""
    since, warned = endpoint.first_failed_at, endpoint.warned_at
    if since is None:
        return
    if now - since >= HALF and (warned is None or warned < since + HALF):
        _queue(endpoint, "keeps failing", HALF_WAY, since=since, until=since + DISABLE_AFTER)
    elif endpoint.failures >= FIRST_AT and (warned is None or (warned < since and now - warned >= SELDOM)):
        _queue(endpoint, "is failing", FAILING, failures=endpoint.failures)
    else:
        return
    endpoint.warned_at = now
    endpoint.save(update_fields=["warned_at"])


def send_disabled(endpoint: WebhookEndpoint, reason: str) -> None:
    _queue(endpoint, "is disabled", DISABLED[reason])


def readers(endpoint: WebhookEndpoint) -> list[str]:
    """Who may change the endpoint: by a role in its organization, or above; of the company's own, the superusers."""
    people = User.objects.filter(is_active=True, is_service=False)
    if endpoint.organization is None:
        people = people.filter(is_superuser=True)
    else:
        roles = [role for role, held in scopes.BY_ROLE.items() if FIXES in held]
        reaching = Membership.objects.reaching(endpoint.organization.path).filter(role__in=roles)
        people = people.filter(pk__in=reaching.values("user"))
    return list(people.order_by("pk").values_list("email", flat=True)[:MOST_READERS])


def _queue(endpoint: WebhookEndpoint, subject: str, body: str, **facts: Any) -> None:
    facts |= {
        "host": emails.plain_name(urlsplit(endpoint.url).hostname or ""),
        "owner": emails.plain_name(endpoint.organization.name) if endpoint.organization else "Tollgate",
        "id": endpoint.public_id,
    }
    for address in readers(endpoint):
        emails.write(SUBJECTS[subject], body, _page(endpoint), to=address, facts=facts)


def _page(endpoint: WebhookEndpoint) -> str:
    if endpoint.organization is None:
        path = reverse("admin:accounts_webhookendpoint_change", args=[endpoint.pk])
    else:
        path = reverse("webhook-endpoint", args=[endpoint.organization.public_id, endpoint.public_id])
    return f"{settings.BASE_URL}{path}"
