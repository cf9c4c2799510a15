"""What attempts came to: written down in one statement, if the lease was still held."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.lib import identifiers, sql
from accounts.models import Delivery, WebhookEndpoint
from accounts.webhooks import endpoints, schedule, sending, warnings
from accounts.webhooks.claims import Work
from accounts.webhooks.schedule import CIRCUIT, DISABLE_AFTER, GONE, MOST_ATTEMPTS

Status = Delivery.Status

# Deliveries come first: an attempt of one that was deleted meanwhile is not inserted.
RECORD = """
WITH result AS (
    SELECT * FROM unnest(
        %(attempts)s::uuid[], %(deliveries)s::uuid[], %(numbers)s::int[], %(answered)s::int[], %(errors)s::text[],
        %(addresses)s::text[], %(durations)s::int[], %(answers)s::text[], %(outcomes)s::text[], %(next)s::timestamptz[]
    ) AS result (attempt, delivery, number, answered, error, address, duration, answer, outcome, next_attempt_at)
), delivered AS (
    UPDATE accounts_delivery delivery
       SET status = result.outcome, next_attempt_at = coalesce(result.next_attempt_at, delivery.next_attempt_at)
      FROM result WHERE delivery.id = result.delivery
    RETURNING delivery.id
), attempted AS (
    INSERT INTO accounts_attempt
           (id, delivery_id, number, status, error, address, duration_ms, answer, created_at)
    SELECT attempt, delivery, number, answered, error, address, duration, answer, %(now)s
      FROM result JOIN delivered ON delivered.id = result.delivery
)
UPDATE accounts_webhookendpoint endpoint
   SET failures = state.failures, first_failed_at = state.first_failed_at, next_attempt_at = state.next_attempt_at,
       leased_until = state.leased_until
  FROM unnest(
        %(endpoints)s::uuid[], %(failures)s::int[], %(first_failed)s::timestamptz[], %(rests)s::timestamptz[],
        %(leases)s::timestamptz[]
       ) AS state (id, failures, first_failed_at, next_attempt_at, leased_until)
 WHERE endpoint.id = state.id
"""


@dataclass(frozen=True)
class AttemptResult:
    """An attempt with what came back, and what becomes of its delivery."""

    work: Work
    answer: sending.Response
    outcome: str
    next_attempt_at: datetime | None


@transaction.atomic
def record(answered: Sequence[tuple[Work, sending.Response]], now: datetime, *, over: Collection[UUID]) -> None:
    """Writes down attempts, and gives back the leases of the endpoints that are `over`.

    If a lease has run out and another worker holds it, nothing is written: that one sends the event again.
    """
    held = _lock(answered)
    results = [_judge(held[work.endpoint], work, answer, now) for work, answer in answered if work.endpoint in held]
    recovered = [row for row in held.values() if row.next_attempt_at and not row.failures]
    for row in held.values():
        if not row.failures:
            row.first_failed_at = row.next_attempt_at = None
        if row.pk in over:
            row.leased_until = None
    if results:
        sql.rows(RECORD, {"now": now, **_columns(results), **_states(list(held.values()))})
    for row in recovered:  # it works again, so what waits for it is due
        row.deliveries.filter(status=Status.PENDING, next_attempt_at__gt=now).update(next_attempt_at=now)
    for result in results:
        if not result.answer.is_success:
            _give_up_or_warn(held[result.work.endpoint], result.answer, now)


def _lock(answered: Sequence[tuple[Work, sending.Response]]) -> dict[UUID, WebhookEndpoint]:
    """The endpoints whose lease is still ours."""
    tokens = {work.endpoint: work.token for work, _ in answered}
    rows = WebhookEndpoint.objects.select_for_update(no_key=True, of=("self",)).select_related("organization")
    return {row.pk: row for row in rows.filter(pk__in=tokens).order_by("pk") if row.lease_token == tokens[row.pk]}


def _judge(row: WebhookEndpoint, work: Work, answer: sending.Response, now: datetime) -> AttemptResult:
    """Counts the attempt for its endpoint, and says what becomes of the delivery."""
    if answer.is_success:
        row.failures = 0
        return AttemptResult(work, answer, Status.SUCCEEDED, None)
    row.failures += 1
    row.first_failed_at = row.first_failed_at or now
    if row.failures >= CIRCUIT:
        row.next_attempt_at = now + schedule.delay(row.failures, answer, now)
    outcome = Status.FAILED if work.number >= MOST_ATTEMPTS else Status.PENDING
    return AttemptResult(work, answer, outcome, now + schedule.delay(work.number, answer, now))


def _columns(results: Sequence[AttemptResult]) -> dict[str, object]:
    answers = [result.answer for result in results]
    return {
        "attempts": [identifiers.uuid7() for _ in results],
        "deliveries": [result.work.delivery for result in results],
        "numbers": [result.work.number for result in results],
        "answered": [answer.status for answer in answers],
        "errors": [answer.error for answer in answers],
        "addresses": [answer.address for answer in answers],
        "durations": [answer.duration_ms for answer in answers],
        "answers": [answer.body for answer in answers],
        "outcomes": [result.outcome for result in results],
        "next": [result.next_attempt_at for result in results],
    }


def _states(rows: Sequence[WebhookEndpoint]) -> dict[str, object]:
    return {
        "endpoints": [row.pk for row in rows],
        "failures": [row.failures for row in rows],
        "first_failed": [row.first_failed_at for row in rows],
        "rests": [row.next_attempt_at for row in rows],
        "leases": [row.leased_until for row in rows],
    }


def _give_up_or_warn(row: WebhookEndpoint, answer: sending.Response, now: datetime) -> None:
    if row.status != WebhookEndpoint.Status.ENABLED:
        return
    if answer.status == GONE:
        endpoints.give_up(row, endpoints.GONE, now)
    elif row.first_failed_at and now - row.first_failed_at >= DISABLE_AFTER:
        endpoints.give_up(row, endpoints.FAILING, now)
    else:
        warnings.warn(row, now)
