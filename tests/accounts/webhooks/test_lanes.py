"""Dead endpoints don't keep the good ones waiting. WEBHOOKS_DEAD=12 WEBHOOKS_GOOD=50 is the full size."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts import events
from accounts.events import publication
from accounts.models import WebhookEndpoint
from accounts.webhooks import claims, outbox, signing, worker
from tests import factories
from tests.accounts.webhooks.inbox import inbox

DEAD, GOOD = int(os.environ.get("WEBHOOKS_DEAD", "6")), int(os.environ.get("WEBHOOKS_GOOD", "4"))
EACH = 4 if GOOD < 50 else 20  # events for each good endpoint
APART = 0.25 if GOOD >= 50 else 0.05  # seconds between them
HANGS = 2.0 if GOOD >= 50 else 1.0  # seconds that a dead endpoint takes to fail
TYPE = "organization.resumed"


@pytest.fixture(autouse=True)
def _quiet(committed: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is sent but what this test makes. There are fewer places than dead endpoints."""
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.BASE_URL = "https://tollgate.example.com"
    monkeypatch.setattr(worker, "THREADS", 8 if DEAD >= 12 else 4)
    monkeypatch.setattr(worker, "FAILING_THREADS", 2 if DEAD >= 12 else 1)
    monkeypatch.setattr(worker, "EXTRA_THREADS", 1)
    WebhookEndpoint.objects.all().delete()
    yield
    WebhookEndpoint.objects.all().delete()


def endpoint(organization: Any, url: str, failures: int = 0) -> None:
    WebhookEndpoint.objects.create(
        organization=organization,
        url=url,
        event_types=[TYPE],
        api_version="v1",
        secret=signing.seal(signing.make_secret()),
        failures=failures,
    )


def happen(organization: Any, at: dict[str, float]) -> None:
    """In a thread of its own: one event after the other."""
    for _ in range(EACH):
        event = events.record(organization.pk, TYPE, {}, timezone.now())
        publication.publish_due(outbox.fan_out)
        at[event.public_id] = monotonic()
        sleep(APART)
    connection.close()


def p95_of_good(seconds: float) -> float:
    """Seconds from an event until it is there, of the good endpoints; infinite for what did not come at all."""
    organization, at = factories.organization("Lanes"), dict[str, float]()
    with ExitStack() as stack:
        for _ in range(DEAD):
            endpoint(organization, stack.enter_context(inbox(seconds=HANGS, status=500)).url, failures=1)
        boxes = [stack.enter_context(inbox()) for _ in range(GOOD)]
        for box in boxes:
            endpoint(organization, box.url)
        feeder = Thread(target=happen, args=(organization, at))
        feeder.start()
        end = monotonic() + seconds
        while monotonic() < end and sum(len(box.requests) for box in boxes) < EACH * GOOD:
            worker.run(seconds=min(1, end - monotonic()))
        feeder.join()
        waits = sorted(got.at - at[got.headers["webhook-id"]] for box in boxes for got in box.requests)
    WebhookEndpoint.objects.all().delete()
    missing = EACH * GOOD - len(waits)
    return [*waits, *[float("inf")] * missing][int(0.95 * EACH * GOOD)]


def test_dead_endpoints_do_not_keep_the_good_ones_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the negative control: without a lane of their own the dead ones take every place."""
    with_lane = p95_of_good(seconds=2 if GOOD < 50 else 12)
    real = claims.claim

    def dead_first(now: Any, *, failing: bool, places: int, **options: Any) -> Any:
        dead = real(now, failing=True, places=places)
        return dead + real(now, failing=False, places=places - len(dead))

    monkeypatch.setattr(claims, "claim", dead_first)
    without = p95_of_good(seconds=2 if GOOD < 50 else 12)
    print(f"p95 of {GOOD} good beside {DEAD} dead: {with_lane:.2f} s with the lane, {without:.2f} s without")  # noqa: T201
    assert with_lane < HANGS <= without
