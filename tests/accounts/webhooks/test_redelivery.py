"""Redelivery is a job with a row: bounded, and resumed where it stopped if it was killed."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import events
from accounts.events import publication
from accounts.models import Delivery, Event, Organization, Redelivery, User, WebhookEndpoint
from accounts.webhooks import outbox, redelivery, signing

TYPE = "organization.resumed"
HOUR = timedelta(hours=1)


@pytest.fixture
def endpoint(organization: Organization) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(
        organization=organization,
        url="https://example.com/",
        event_types=[TYPE],
        api_version="v1",
        secret=signing.seal(signing.make_secret()),
    )


@pytest.fixture
def path(endpoint: WebhookEndpoint) -> str:
    return f"/v1/webhook-endpoints/{endpoint.public_id}/redeliver"


def deliveries(endpoint: WebhookEndpoint, statuses: str) -> list[Delivery]:
    """One an hour, the newest last and just now, of these statuses: `sfc`."""
    for _ in statuses:
        events.record(endpoint.organization.pk, TYPE, {}, timezone.now())  # type: ignore[union-attr]
    publication.publish_due(outbox.fan_out)
    made = list(endpoint.deliveries.order_by("id"))
    names = {"s": "succeeded", "f": "failed", "c": "cancelled", "p": "pending"}
    for age, (delivery, letter) in enumerate(zip(reversed(made), reversed(statuses), strict=True)):
        delivery.status, delivery.created_at = names[letter], timezone.now() - age * HOUR - HOUR / 60
        delivery.save()
    return made


def pending(endpoint: WebhookEndpoint) -> str:
    return "".join("p" if row.status == "pending" else "." for row in endpoint.deliveries.order_by("id"))


def since(hours: float) -> str:
    return (timezone.now() - hours * HOUR).isoformat()


@pytest.mark.parametrize(
    ("body", "after"),
    [
        ({"since": 9}, ".p..p.p"),
        ({"since": 2.5}, "....p.p"),
        ({"since": 9, "until": 1.5}, ".p..p.."),
        ({"since": 9, "only_failed": False}, "ppppppp"),
    ],
)
def test_a_span_of_time_is_sent_again(
    api: Any, alice: User, endpoint: WebhookEndpoint, path: str, body: dict[str, Any], after: str
) -> None:
    deliveries(endpoint, "sfscfsf")
    named = {name: since(value) if name in ("since", "until") else value for name, value in body.items()}
    answer = api(alice).post(path, named)
    assert (answer.status_code, answer.json()["total"]) == (202, after.count("p"))
    assert redelivery.run(timezone.now()) == after.count("p")
    assert pending(endpoint) == after
    assert redelivery.run(timezone.now()) == 0
    assert Event.objects.get(type="webhook_endpoint.redelivered").data["deliveries"] == after.count("p")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/since"),
        ({"since": "yesterday"}, "/since"),
        ({"since": 15 * 24}, "/since"),
        ({"since": -1}, "/since"),
        ({"since": 2, "until": 3}, "/until"),
        ({"since": 2, "only_failed": "some"}, "/only_failed"),
    ],
)
def test_bad_input_begins_nothing(api: Any, alice: User, path: str, body: dict[str, Any], pointer: str) -> None:
    named = {name: since(value) if isinstance(value, int) else value for name, value in body.items()}
    answer = api(alice).post(path, named)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not Redelivery.objects.exists()


def test_an_endpoint_has_one_at_a_time(api: Any, alice: User, endpoint: WebhookEndpoint, path: str) -> None:
    deliveries(endpoint, "f")
    client = api(alice)
    assert client.post(path, {"since": since(9)}).status_code == 202
    refused = client.post(path, {"since": since(9)})
    assert (refused.status_code, refused.json()["code"]) == (409, "redelivery_under_way")
    redelivery.run(timezone.now())
    assert client.post(path, {"since": since(9)}).json()["total"] == 0


def test_it_goes_on_where_it_was_killed_and_sends_nothing_twice(
    api: Any, alice: User, endpoint: WebhookEndpoint, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redelivery, "BATCH", 2)
    deliveries(endpoint, "fffff")
    api(alice).post(path, {"since": since(9)})
    assert redelivery._next_batch(timezone.now()) == 2
    endpoint.deliveries.filter(status="pending").update(status="failed")  # sent meanwhile, in vain
    again = redelivery._again

    def killed(*arguments: Any) -> None:
        again(*arguments)
        raise SystemExit

    monkeypatch.setattr(redelivery, "_again", killed)
    with pytest.raises(SystemExit):
        redelivery.run(timezone.now())
    monkeypatch.setattr(redelivery, "_again", again)
    assert redelivery.run(timezone.now()) == 3
    assert pending(endpoint) == "..ppp"
    job = Redelivery.objects.get()
    assert (job.done, job.total, job.finished_at is None) == (5, 5, False)


def test_it_is_bounded(
    api: Any, alice: User, endpoint: WebhookEndpoint, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redelivery, "MOST", 3)
    deliveries(endpoint, "fffff")
    assert api(alice).post(path, {"since": since(9)}).json()["total"] == 3
    assert redelivery.run(timezone.now()) == 3
    assert pending(endpoint) == "ppp.."
