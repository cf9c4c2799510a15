"""Endpoints: made, changed, rotated, enabled and disabled. Every change is an event of their organization."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import events
from accounts.credentials import Credential
from accounts.events.catalog import API_VERSION
from accounts.lib import broker, encryption, identifiers
from accounts.lib.problems import Conflict, InvalidField, NotFound, TooManyRequests
from accounts.models import Delivery, Organization, WebhookEndpoint
from accounts.webhooks import bodies, sending, signing, urls

MOST = 16
PURPOSE = "webhook secret"
DELIVER = "accounts.tasks.deliver_webhooks"
EVERYTHING = "*"
AUDIT = "audit:read"
TEST_SECONDS = 4.0  # a request must be answered within five
MANUALLY, FAILING, GONE = "manually", "failing", "gone"
RESEND_WITHIN = timedelta(days=14)
MOST_RESENT = 10_000

Status = WebhookEndpoint.Status

_testing = BoundedSemaphore(1)  # a test holds a thread of the web server, so each process sends one at a time


class TooManyEndpoints(Conflict):
    """An organization has as many endpoints as it may have."""

    code = "too_many_webhook_endpoints"
    detail = f"An organization has at most {MOST} webhook endpoints."


def check_url(text: str) -> str:
    """The URL in its normal form."""
    try:
        return urls.target(text).url
    except ValueError as error:
        raise InvalidField("url", str(error)) from error


def check_types(names: Collection[str], by: Credential) -> list[str]:
    """Registered types, or `*`. A type that is only for audits takes the right to read the audit log."""
    for name in names:
        type = events.TYPES.get(name)
        if name != EVERYTHING and type is None:
            raise InvalidField("event_types", f"{name[:60]!r} is not an event type.")
        if type and type.audit_only and AUDIT not in by.scopes:
            raise InvalidField("event_types", f"{name} takes the scope {AUDIT}.")
    if not names:
        raise InvalidField("event_types", "Must name at least one event type, or *.")
    return list(dict.fromkeys(names))


@transaction.atomic
def create(organization: Organization, by: Credential, params: Mapping[str, Any]) -> tuple[WebhookEndpoint, str]:
    """The endpoint and its secret, which is shown only here."""
    Organization.objects.lock(organization.pk)  # two at once must not pass the limit together
    if WebhookEndpoint.objects.of(organization).count() >= MOST:
        raise TooManyEndpoints
    secret = signing.make_secret()
    endpoint = WebhookEndpoint(organization=organization, api_version=API_VERSION, secret=seal(secret))
    _assign(endpoint, by, params)
    endpoint.save(force_insert=True)
    _record(endpoint, "created", by, _described(endpoint))
    return endpoint, secret


@transaction.atomic
def change(endpoint: WebhookEndpoint, by: Credential, params: Mapping[str, Any]) -> WebhookEndpoint:
    row = lock(endpoint)
    before = _described(row)
    _assign(row, by, params)
    row.save(update_fields=list(params))
    after = _described(row)
    names = [name for name in after if after[name] != before[name]]
    if names:
        changes = {"before": {name: before[name] for name in names}, "after": {name: after[name] for name in names}}
        _record(row, "changed", by, changes)
    return row


@transaction.atomic
def rotate(endpoint: WebhookEndpoint, by: Credential, overlap: timedelta) -> tuple[WebhookEndpoint, str]:
    """A new secret. The one of before signs as well for the time of `overlap`; one before that ends now."""
    row = lock(endpoint)
    secret = signing.make_secret()
    row.previous_secret = row.secret if overlap else None
    row.previous_secret_expires_at = timezone.now() + overlap if overlap else None
    row.secret = seal(secret)
    row.save(update_fields=["secret", "previous_secret", "previous_secret_expires_at"])
    _record(row, "secret_rotated", by, {"overlap_seconds": int(overlap.total_seconds())})
    return row, secret


@transaction.atomic
def enable(endpoint: WebhookEndpoint, by: Credential, *, send_waiting: bool) -> WebhookEndpoint:
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
        _record(row, "enabled", by, {})
        broker.nudge(DELIVER)
    return row


@transaction.atomic
def disable(endpoint: WebhookEndpoint, by: Credential) -> WebhookEndpoint:
    row = lock(endpoint)
    if row.status == Status.ENABLED:
        stop(row, MANUALLY, events.actor_of(by))
    return row


def stop(row: WebhookEndpoint, reason: str, actor: events.Actor = events.SYSTEM) -> None:
    """Disables a locked endpoint. What waits for it is held."""
    row.status, row.disabled_reason = Status.DISABLED, reason
    row.save(update_fields=["status", "disabled_reason"])
    data = {"webhook_endpoint": row.public_id, "reason": reason}
    events.record(
        row.organization_id,
        "webhook_endpoint.disabled",
        data,
        timezone.now(),
        actor=actor,
        targets=[row.public_id],
    )


@transaction.atomic
def delete(endpoint: WebhookEndpoint, by: Credential) -> None:
    row = lock(endpoint)
    _record(row, "deleted", by, {})
    row.delete()


def test(endpoint: WebhookEndpoint) -> sending.Answer:
    """Sends a test event at once. It is not tried again, and counts nowhere. `TooManyRequests` if another is on."""
    now = timezone.now()
    id = f"evt_{identifiers.uuid7().hex}"
    body = bodies.of_test(id, endpoint.organization.public_id, endpoint.public_id, now)
    headers = signing.headers(id, int(now.timestamp()), body, live_secrets(endpoint, now))
    if not _testing.acquire(blocking=False):
        wait = {"Retry-After": f"{TEST_SECONDS:.0f}"}
        raise TooManyRequests("Another test is being sent. Try again in some seconds.", headers=wait)
    try:
        return sending.post(endpoint.url, body, headers, seconds=TEST_SECONDS)
    finally:
        _testing.release()


@transaction.atomic
def redeliver(delivery: Delivery, by: Credential) -> Delivery:
    """Sends it again, under the same `webhook-id`, with a full set of attempts."""
    row = Delivery.objects.select_for_update(no_key=True).select_related("endpoint").get(pk=delivery.pk)
    _again(Delivery.objects.filter(pk=row.pk))
    _record(row.endpoint, "redelivered", by, {"deliveries": 1})
    row.refresh_from_db()
    return row


@transaction.atomic
def redeliver_failed(endpoint: WebhookEndpoint, by: Credential, since: datetime) -> int:
    """Sends again all that failed since then, up to 10,000 and the oldest first; returns how many."""
    row = lock(endpoint)
    if since < timezone.now() - RESEND_WITHIN:
        raise InvalidField("since", "Must be at most 14 days back.")
    failed = row.deliveries.filter(status=Delivery.Status.FAILED, created_at__gte=since).order_by("sequence")
    count = _again(Delivery.objects.filter(pk__in=list(failed.values_list("pk", flat=True)[:MOST_RESENT])))
    _record(row, "redelivered", by, {"deliveries": count})
    return count


def _again(deliveries: Any) -> int:
    count: int = deliveries.update(status=Delivery.Status.PENDING, attempt_count=0, next_attempt_at=timezone.now())
    broker.nudge(DELIVER)
    return count


def lock(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    row = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint.pk).first()
    if row is None:
        raise NotFound
    return row


def seal(secret: str) -> bytes:
    return encryption.encrypt(secret.encode(), purpose=PURPOSE)


def live_secrets(endpoint: WebhookEndpoint, now: datetime) -> list[str]:
    """The newest first, and during an overlap the one before it."""
    sealed = [endpoint.secret]
    if endpoint.previous_secret and endpoint.previous_secret_expires_at and endpoint.previous_secret_expires_at > now:
        sealed.append(endpoint.previous_secret)
    return [encryption.decrypt(bytes(text), purpose=PURPOSE).decode() for text in sealed]


def _assign(endpoint: WebhookEndpoint, by: Credential, params: Mapping[str, Any]) -> None:
    checks: Mapping[str, Any] = {"url": check_url, "event_types": lambda names: check_types(names, by)}
    for name, value in params.items():
        setattr(endpoint, name, checks[name](value) if name in checks else value)


def _described(endpoint: WebhookEndpoint) -> dict[str, Any]:
    names = ("url", "description", "event_types", "includes_subtree")
    return {name: getattr(endpoint, name) for name in names}


def _record(endpoint: WebhookEndpoint, verb: str, by: Credential, data: Mapping[str, Any]) -> None:
    events.record(
        endpoint.organization_id,
        f"webhook_endpoint.{verb}",
        {"webhook_endpoint": endpoint.public_id, **data},
        timezone.now(),
        actor=events.actor_of(by),
        targets=[endpoint.public_id],
    )
