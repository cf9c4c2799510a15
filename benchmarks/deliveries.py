"""The work of the clients that deliver webhooks, three seconds at a time."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count, cycle
from uuid import uuid4

from django.utils import timezone

from accounts.models import Delivery, Event, Organization, WebhookEndpoint
from accounts.webhooks import sending, signing, worker

SECONDS = 3
BACKLOG = 30_000
BODY = b'{"data": {"balance": 19.5, "low_balance": 20}, "id": "evt_0", "type": "credits.low"}' + b" " * 400
Once = Callable[[], int]


def worked(number: int, url: str, endpoints: str) -> Once:
    """What a worker sends to so many endpoints, for which much waits."""
    organization = Organization.objects.create_root(name="Benchmark")
    rows = [_endpoint(organization, url) for _ in range(int(endpoints))]
    happened = [Event(organization=organization, type="credits.low", created_at=timezone.now()) for _ in range(BACKLOG)]
    Event.objects.bulk_create(happened)
    waiting = zip(happened, cycle(rows), count(1))
    Delivery.objects.bulk_create(
        Delivery(endpoint=row, event=event, sequence=sequence, body=BODY) for event, row, sequence in waiting
    )

    def once() -> int:
        return worker.run(seconds=SECONDS)

    return once


def posted(number: int, url: str) -> Once:
    """The same client in a plain loop, in as many threads, without a database."""

    def loop(end: float) -> int:
        sent = 0
        while time.monotonic() < end:
            headers = signing.headers("evt_0", int(time.time()), BODY, [SECRET])
            assert sending.post(url, BODY, {"content-type": "application/json", **headers}).is_success
            sent += 1
        return sent

    def once() -> int:
        with ThreadPoolExecutor(worker.THREADS) as pool:
            return sum(pool.map(loop, [time.monotonic() + SECONDS] * worker.THREADS))

    return once


SECRET = signing.make_secret()


def _endpoint(organization: Organization, url: str) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(
        organization=organization,
        url=f"{url}?{uuid4().hex}",
        event_types=["*"],
        api_version="v1",
        secret=signing.seal(SECRET),
    )
