"""Which deliveries are sent next. A worker leases endpoints, and begins attempts of what waits for them.

One endpoint takes one place, however much waits for it, and more only while it answers quickly. Failing endpoints have
places of their own. So neither a slow endpoint nor many dead ones keep the others waiting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.fernet import InvalidToken
from django.db import transaction
from django.utils import timezone

from accounts.lib import sql
from accounts.webhooks import sending, signing
from accounts.webhooks.schedule import CIRCUIT

LEASE = timedelta(seconds=2 * sending.DEADLINE_SECONDS)

# The endpoints for which something waits: one step through the index for each of them, however much waits.
WAITING = """
    (SELECT endpoint_id FROM accounts_delivery WHERE status = 'pending' ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT endpoint_id FROM accounts_delivery
             WHERE status = 'pending' AND endpoint_id > waiting.endpoint ORDER BY endpoint_id LIMIT 1)
      FROM waiting WHERE waiting.endpoint IS NOT NULL
"""

# While the circuit is open, the oldest delivery is the probe, whenever it was due itself.
DUE = "delivery.status = 'pending' AND (endpoint.failures >= {circuit} OR delivery.next_attempt_at <= %(now)s)"

# A statement of its own, so that the next one sees what the last holder of a lease has committed.
LOCK = """
WITH RECURSIVE waiting (endpoint) AS ({waiting})
SELECT endpoint.id FROM accounts_webhookendpoint endpoint
 WHERE endpoint.id IN (SELECT waiting.endpoint FROM waiting)
   AND endpoint.status = 'enabled'
   AND (endpoint.failures > 0) = %(failing)s
   AND (endpoint.leased_until IS NULL OR endpoint.leased_until <= %(now)s)
   AND (endpoint.next_attempt_at IS NULL OR endpoint.next_attempt_at <= %(now)s)
   AND EXISTS (SELECT FROM accounts_delivery delivery WHERE delivery.endpoint_id = endpoint.id AND {due})
 ORDER BY endpoint.worked_at NULLS FIRST LIMIT %(places)s
   FOR NO KEY UPDATE OF endpoint SKIP LOCKED
"""

CLAIM = """
WITH chosen AS (
    SELECT endpoint.id AS endpoint, next.id AS delivery
      FROM unnest(%(endpoints)s::uuid[], %(counts)s::int[]) AS turn (endpoint, count)
      JOIN accounts_webhookendpoint endpoint ON endpoint.id = turn.endpoint
     CROSS JOIN LATERAL (
            SELECT delivery.id FROM accounts_delivery delivery
             WHERE delivery.endpoint_id = endpoint.id AND {due}
             ORDER BY delivery.id LIMIT turn.count
           ) next
), leased AS (
    UPDATE accounts_webhookendpoint endpoint
       SET lease_token = lease_token + 1, leased_until = %(until)s, worked_at = %(now)s
     WHERE endpoint.id IN (SELECT chosen.endpoint FROM chosen)
    RETURNING id, lease_token, failures, url, secret, previous_secret, previous_secret_expires_at
)
UPDATE accounts_delivery delivery SET attempt_count = attempt_count + 1
  FROM chosen JOIN leased ON leased.id = chosen.endpoint
 WHERE delivery.id = chosen.delivery
RETURNING delivery.id, delivery.event_id, delivery.body, delivery.attempt_count, leased.*
"""

_due = sql.compose(DUE, circuit=str(CIRCUIT))
_lock = sql.compose(LOCK, waiting=WAITING, due=_due)
_claim = sql.compose(CLAIM, due=_due)


@dataclass(frozen=True)
class Work:
    """One attempt: what a thread needs to send, and what proves afterwards that the lease was still held."""

    delivery: UUID
    webhook_id: str
    body: bytes
    number: int
    endpoint: UUID
    token: int
    is_failing: bool
    url: str
    sealed: tuple[bytes, bytes | None, datetime | None]

    def send(self) -> sending.Response:
        now = timezone.now()
        try:
            live = signing.live(*self.sealed, now)
        except InvalidToken:
            return sending.Response(None, "secret_unreadable", "", 0)
        headers = signing.headers(self.webhook_id, int(now.timestamp()), self.body, live)
        return sending.post(self.url, self.body, {"content-type": "application/json", **headers})


@transaction.atomic
def claim(
    now: datetime, *, failing: bool, places: int, paces: Mapping[UUID, int] | None = None, extra: int = 0
) -> list[Work]:
    """Leases the endpoints that have waited longest, and begins their oldest attempts, at most `places`.

    `failing` is the lane. `paces` says how many attempts an endpoint may get at once, if not one; `extra` is how many
    all of them together may get beyond one each.
    """
    params: dict[str, Any] = {"now": now, "until": now + LEASE, "failing": failing, "places": places}
    endpoints = [id for (id,) in sql.rows(_lock, params)] if places > 0 else []
    if not endpoints:
        return []
    counts = _share(endpoints, paces or {}, min(extra, places - len(endpoints)))
    rows = sql.rows(_claim, {**params, "endpoints": endpoints, "counts": counts})
    return [_work(row) for row in sorted(rows)]


def _share(endpoints: Sequence[UUID], paces: Mapping[UUID, int], extra: int) -> list[int]:
    """One for each, and the rest to those that may get more, in their order."""
    counts = []
    for endpoint in endpoints:
        more = min(paces.get(endpoint, 1) - 1, extra)
        counts.append(1 + more)
        extra -= more
    return counts


def _work(row: tuple[Any, ...]) -> Work:
    delivery, event, body, number, endpoint, token, failures, url, *sealed = row
    return Work(delivery, f"evt_{event.hex}", body, number, endpoint, token, failures > 0, url, tuple(sealed))
