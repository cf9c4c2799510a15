"""Endpoints: made, changed, rotated, enabled and disabled. Every change is an event of their organization.

The company's own endpoints belong to no organization, and get the events of all.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from accounts import events
from accounts.events.catalog import API_VERSION
from accounts.lib import broker, identifiers
from accounts.lib.problems import Conflict, InvalidField, NotFound, TooManyRequests
from accounts.lib.sentences import filled
from accounts.models import Delivery, Organization, WebhookEndpoint
from accounts.webhooks import bodies, sending, signing, urls, warnings

MOST = 16
DELIVER = "accounts.tasks.deliver_webhooks"
PURGE = "accounts.tasks.purge_deliveries"
EVERYTHING = "*"
AUDIT = "audit:read"
TEST_SECONDS = 4.0  # a request must be answered within five
MANUALLY, FAILING, GONE = "manually", "failing", "gone"

Status = WebhookEndpoint.Status

log = structlog.get_logger()

_testing = BoundedSemaphore(1)  # a test holds a thread of the web server, so each process sends one at a time


class EndpointMadeAlready(Conflict):
    """The form that makes an endpoint was sent before."""

    code = "webhook_endpoint_made"
    detail = "This endpoint was made already, and its secret was shown once. If you don't have it, rotate the secret."


class SecretRotatedAlready(Conflict):
    """The form that rotates a secret was sent before, or somebody else rotated it."""

    code = "webhook_secret_rotated"
    detail = "The secret was rotated meanwhile. If you don't have the new one, rotate it again."


class TooManyEndpoints(Conflict):
    """An organization has as many endpoints as it may have."""

    code = "too_many_webhook_endpoints"
    detail = filled("An organization has at most %(most)s webhook endpoints.", most=MOST)


def check_url(text: str) -> str:
    """The URL in its normal form. One that names an address is refused at once if that could never be reached."""
    try:
        target = urls.target(text)
        urls.check_address(target)
        return target.url
    except ValueError as error:
        raise InvalidField("url", str(error)) from error


def check_types(names: Collection[str], scopes: Collection[str]) -> list[str]:
    """Registered types, or `*`. A type that is only for audits takes the right to read the audit log."""
    for name in names:
        type = events.TYPES.get(name)
        if name != EVERYTHING and type is None:
            raise InvalidField("event_types", filled("%(name)r is not an event type.", name=name[:60]))
        if type and type.audit_only and AUDIT not in scopes:
            raise InvalidField("event_types", filled("%(name)s takes the scope %(scope)s.", name=name, scope=AUDIT))
    if not names:
        raise InvalidField("event_types", "Must name at least one event type, or *.")
    return list(dict.fromkeys(names))


@transaction.atomic
def create(
    organization: Organization | None, params: Mapping[str, Any], *, scopes: Collection[str], id: UUID | None = None
) -> tuple[WebhookEndpoint, str]:
    """The endpoint and its secret, which is shown only here. Without an organization it is one of the company's own.

    `id` is that of a form, which makes one endpoint however often it is sent.
    """
    id = id or identifiers.uuid7()
    _lock_list(organization)
    if WebhookEndpoint.objects.filter(pk=id).exists():
        raise EndpointMadeAlready
    if WebhookEndpoint.objects.owned_by(organization).count() >= MOST:
        raise TooManyEndpoints
    secret = signing.make_secret()
    endpoint = WebhookEndpoint(pk=id, organization=organization, api_version=API_VERSION, secret=signing.seal(secret))
    _assign(endpoint, params, scopes)
    endpoint.save(force_insert=True)
    record(endpoint, "created", _tellable(_described(endpoint)))
    return endpoint, secret


def _lock_list(organization: Organization | None) -> None:
    """Two at once must not pass the limit together."""
    if organization:
        Organization.objects.lock(organization.pk)
    else:
        list(WebhookEndpoint.objects.owned_by(None).select_for_update(no_key=True).order_by("pk"))


@transaction.atomic
def change(endpoint: WebhookEndpoint, params: Mapping[str, Any], *, scopes: Collection[str]) -> WebhookEndpoint:
    """Changing an endpoint that gets audit events needs the right to read them: the new URL could be anybody's."""
    row = lock(endpoint)
    check_types(row.event_types, scopes)
    before = _described(row)
    _assign(row, params, scopes)
    row.save(update_fields=list(params))
    after = _described(row)
    names = [name for name in after if after[name] != before[name]]
    if names:
        changes = [_tellable({name: fields[name] for name in names}) for fields in (before, after)]
        record(row, "changed", dict(zip(("before", "after"), changes, strict=True)))
    return row


@transaction.atomic
def rotate(endpoint: WebhookEndpoint, overlap: timedelta, *, from_version: str = "") -> tuple[WebhookEndpoint, str]:
    """A new secret. The one of before signs as well for the time of `overlap`; one before that ends now.

    `from_version` is the `secret_version` that a form has seen, so that one form rotates once.
    """
    row = lock(endpoint)
    if from_version not in ("", row.secret_version):
        raise SecretRotatedAlready
    secret = signing.make_secret()
    row.previous_secret = row.secret if overlap else None
    row.previous_secret_expires_at = timezone.now() + overlap if overlap else None
    row.secret = signing.seal(secret)
    row.save(update_fields=["secret", "previous_secret", "previous_secret_expires_at"])
    record(row, "secret_rotated", {"overlap_seconds": int(overlap.total_seconds())})
    return row, secret


@transaction.atomic
def enable(endpoint: WebhookEndpoint, *, send_waiting: bool) -> WebhookEndpoint:
    """Starts afresh: earlier failures don't count any more. What waited is sent, or is cancelled."""
    row = lock(endpoint)
    if row.status == Status.DISABLED:
        waiting = row.deliveries.filter(status=Delivery.Status.PENDING)
        if send_waiting:
            waiting.update(next_attempt_at=timezone.now())
        else:
            waiting.update(status=Delivery.Status.CANCELLED)
        row.status, row.disabled_reason = Status.ENABLED, ""
        row.failures, row.first_failed_at, row.next_attempt_at = 0, None, None
        row.save(update_fields=["status", "disabled_reason", "failures", "first_failed_at", "next_attempt_at"])
        record(row, "enabled", {})
        broker.nudge(DELIVER)
    return row


@transaction.atomic
def disable(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    row = lock(endpoint)
    if row.status == Status.ENABLED:
        _stop(row, MANUALLY, timezone.now())
    return row


def give_up(row: WebhookEndpoint, reason: str, now: datetime) -> None:
    """Disables a locked endpoint that fails, and mails those who can mend it. What waits for it is held."""
    _stop(row, reason, now)
    warnings.send_disabled(row, reason)


def _stop(row: WebhookEndpoint, reason: str, now: datetime) -> None:
    row.status, row.disabled_reason = Status.DISABLED, reason
    row.save(update_fields=["status", "disabled_reason"])
    record(row, "disabled", {"reason": reason}, now)


@transaction.atomic
def delete(endpoint: WebhookEndpoint) -> None:
    """Takes it away at once. Its log may be long, so a task deletes that, with the row."""
    row = lock(endpoint)
    row.status, row.secret, row.previous_secret = Status.DELETED, b"", None
    row.save(update_fields=["status", "secret", "previous_secret"])
    record(row, "deleted", {})
    broker.nudge(PURGE)


def test(endpoint: WebhookEndpoint) -> sending.Response:
    """Sends a test event now. It isn't retried and doesn't count as a failure. `TooManyRequests` while another runs."""
    now = timezone.now()
    id = f"evt_{identifiers.uuid7().hex}"
    owner = endpoint.organization.public_id if endpoint.organization else None
    body = bodies.of_test(id, owner, endpoint.public_id, now)
    live = signing.live(endpoint.secret, endpoint.previous_secret, endpoint.previous_secret_expires_at, now)
    headers = signing.headers(id, int(now.timestamp()), body, live)
    if not _testing.acquire(blocking=False):
        wait = {"Retry-After": f"{TEST_SECONDS:.0f}"}
        raise TooManyRequests("Another test is being sent. Try again in some seconds.", headers=wait)
    try:
        return sending.post(endpoint.url, body, headers, seconds=TEST_SECONDS)
    finally:
        _testing.release()


def lock(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    row = WebhookEndpoint.objects.kept().select_for_update(no_key=True).filter(pk=endpoint.pk).first()
    if row is None:
        raise NotFound
    return row


def _assign(endpoint: WebhookEndpoint, params: Mapping[str, Any], scopes: Collection[str]) -> None:
    checks: Mapping[str, Any] = {"url": check_url, "event_types": lambda names: check_types(names, scopes)}
    for name, value in params.items():
        setattr(endpoint, name, checks[name](value) if name in checks else value)


def _described(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {name: getattr(endpoint, name) for name in ("url", "description", "event_types", "includes_subtree")}


def _tellable(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What an event may say of them. The path and the query of a URL may hold a secret, so only its host is said."""
    return {name: urls.host_of(value) if name == "url" else value for name, value in fields.items()}


def record(endpoint: WebhookEndpoint, verb: str, data: Mapping[str, Any], now: datetime | None = None) -> None:
    """What was done to an endpoint, as an event. That of one of the company's own is the company's."""
    data = {"webhook_endpoint": endpoint.public_id, **data}
    targets = [endpoint.public_id]
    events.record(endpoint.organization_id, f"webhook_endpoint.{verb}", data, now or timezone.now(), targets=targets)
