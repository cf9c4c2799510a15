"""A worker that is killed with SIGKILL at any point loses nothing: the same event is sent again under the same id.

WEBHOOKS_KILLED=20 is the full size.
"""

import os
import time
from typing import Any

import pytest
from django.utils import timezone

from accounts import events
from accounts.events import publication
from accounts.models import Attempt, Delivery, WebhookEndpoint
from accounts.webhooks import claims, outbox, results, signing, worker
from tests import factories
from tests.accounts.webhooks.inbox import inbox
from tests.killing import hang, killed

ROUNDS = int(os.environ.get("WEBHOOKS_KILLED", "1"))
POINTS = {"after claim": 1, "while sending": 2, "before recording": 2}  # and how often the receiver gets the event


def work_until(point: str, reached: int) -> None:
    """In the child: works as a worker does, and stops for good at the point."""
    if point == "after claim":
        claims.Work.send = lambda work: hang(reached=reached)  # type: ignore[assignment, method-assign]
    if point == "before recording":
        results.record = lambda *_, **__: hang(reached=reached)
    worker.run()


@pytest.mark.parametrize("point", POINTS)
def test_nothing_is_lost_and_the_id_stays(committed: None, settings: Any, point: str) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.BASE_URL = "https://tollgate.example.com"
    for _ in range(ROUNDS):
        WebhookEndpoint.objects.all().delete()
        organization = factories.organization("Killed")
        with inbox() as box:
            endpoint = WebhookEndpoint.objects.create(
                organization=organization,
                url=box.url,
                event_types=["organization.resumed"],
                api_version="v1",
                secret=signing.seal(signing.make_secret()),
            )
            event = events.record(organization.pk, "organization.resumed", {}, timezone.now())
            publication.publish_due(outbox.fan_out)

            def is_reached(reader: int, box: Any = box) -> object:
                if point != "while sending":
                    return os.read(reader, 1)
                end = time.monotonic() + 60
                while not box.requests and time.monotonic() < end:
                    time.sleep(0.01)
                return None

            box.seconds = 60 if point == "while sending" else 0
            killed(lambda writer: work_until(point, writer), is_reached)
            box.seconds = 0
            assert Delivery.objects.get(endpoint=endpoint).status == "pending"
            assert worker.run() == 0  # the lease of the killed worker still holds
            WebhookEndpoint.objects.filter(pk=endpoint.pk).update(leased_until=timezone.now())
            assert worker.run() == 1
            assert [request.headers["webhook-id"] for request in box.requests] == [event.public_id] * POINTS[point]
        delivery = Delivery.objects.get(endpoint=endpoint)
        assert (delivery.status, delivery.attempt_count) == ("succeeded", 2)
        assert Attempt.objects.filter(delivery=delivery).count() == 1
    WebhookEndpoint.objects.all().delete()
