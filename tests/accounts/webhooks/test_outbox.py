"""Retries, the circuit, disabling, leases and lanes: nothing is lost, and no endpoint keeps others waiting."""

from concurrent.futures import wait
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from accounts import events
from accounts.events import publication
from accounts.models import Attempt, Delivery, Event, Organization, WebhookEndpoint
from accounts.webhooks import claims, outbox, results, schedule, sending, signing, worker
from accounts.webhooks.claims import Work
from accounts.webhooks.schedule import DELAYS
from tests import factories
from tests.accounts.webhooks.inbox import inbox

TYPE = "organization.resumed"


@pytest.fixture(autouse=True)
def _local(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.BASE_URL = "https://tollgate.example.com"


def endpoint(organization: Organization, url: str = "https://example.com/", types: Any = (TYPE,)) -> WebhookEndpoint:
    secret = signing.seal(signing.make_secret())
    return WebhookEndpoint.objects.create(
        organization=organization, url=url, event_types=list(types), api_version="v1", secret=secret
    )


def happen(organization: Organization, times: int = 1) -> list[Event]:
    made = [events.record(organization.pk, TYPE, {}, timezone.now()) for _ in range(times)]
    publication.publish_due(outbox.fan_out)
    return made


def answer(status: int | None = 500, error: str = "", retry_after: str = "") -> sending.Response:
    return sending.Response(status, error, "127.0.0.1", 5, "", retry_after)


def claim(*, failing: bool = False, places: int = 1, **options: Any) -> list[Work]:
    return claims.claim(timezone.now(), failing=failing, places=places, **options)


def record(work: Work, result: sending.Response) -> None:
    results.record([(work, result)], timezone.now(), over={work.endpoint})


def attempt(result: sending.Response) -> Work:
    """Claims from whatever lane and records, as the worker does, with this answer in place of the sending."""
    [work] = claim() or claim(failing=True)
    record(work, result)
    return work


def test_a_delivery_is_tried_by_the_schedule_and_then_has_failed(organization: Organization) -> None:
    endpoint(organization)
    happen(organization)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for number, delay in enumerate([*DELAYS, timedelta()], 1):
            if number < schedule.MOST_ATTEMPTS:
                attempt(answer())
                assert not claim(failing=True)  # not yet
                clock.shift(delay * 1.3)
                WebhookEndpoint.objects.update(first_failed_at=timezone.now())  # five days are another test
            else:
                attempt(answer())
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempt_count) == ("failed", schedule.MOST_ATTEMPTS)
    assert list(Attempt.objects.order_by("id").values_list("number", flat=True)) == list(range(1, 11))


@pytest.mark.parametrize(
    ("result", "least", "most"),
    [
        (answer(500), 4, 6),
        (answer(500, retry_after="8"), 8, 8),
        (answer(500, retry_after="9999"), 10, 10),
        (answer(500, retry_after="nonsense"), 4, 6),
        (answer(500, retry_after="-5"), 4, 6),
        (answer(500, retry_after="Mon, 01 Jan 99999999999999999999 00:00:00 GMT"), 4, 6),
        (answer(429), 48, 72),
        (answer(None, "timeout"), 48, 72),
        (answer(503, retry_after="Fri, 01 Jan 2100 00:00:00 GMT"), 10, 10),
    ],
)
def test_retry_after_counts_within_bounds(result: sending.Response, least: float, most: float) -> None:
    for _ in range(20):
        assert least <= schedule.delay(1, result, timezone.now()).total_seconds() <= most


def test_after_three_failures_one_delivery_is_the_probe_and_success_drains_in_order(organization: Organization) -> None:
    made = endpoint(organization)
    happened = [event.public_id for event in happen(organization, 5)]
    with time_machine.travel(timezone.now(), tick=False) as clock:
        tried = [attempt(answer()).webhook_id for _ in range(3)]
        assert tried == happened[:3]
        assert not claim(failing=True)  # though the fourth and fifth are due
        clock.shift(timedelta(hours=1))
        order = [attempt(answer(200)).webhook_id for _ in range(5)]
        assert not claim()
    assert order == happened
    made.refresh_from_db()
    assert (made.failures, made.first_failed_at, made.next_attempt_at, made.leased_until) == (0, None, None, None)


def test_failures_of_five_days_disable_and_enabling_starts_afresh(organization: Organization) -> None:
    made = endpoint(organization)
    happen(organization)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        attempt(answer())
        clock.shift(timedelta(days=4))
        attempt(answer())
        made.refresh_from_db()
        assert made.status == "enabled"
        clock.shift(timedelta(days=2))
        attempt(answer())
    made.refresh_from_db()
    assert (made.status, made.disabled_reason) == ("disabled", "failing")
    event = Event.objects.get(type="webhook_endpoint.disabled")
    assert (event.data["reason"], event.actor) == ("failing", {"kind": "system", "id": None})
    happen(organization)  # is held
    assert Delivery.objects.filter(status="pending").count() == 2


def test_a_410_disables_at_once(organization: Organization) -> None:
    made = endpoint(organization)
    happen(organization)
    attempt(answer(410))
    made.refresh_from_db()
    assert (made.status, made.disabled_reason) == ("disabled", "gone")
    assert not claim(failing=True)


def test_a_lease_that_ran_out_is_taken_over_and_the_late_answer_counts_nothing(organization: Organization) -> None:
    made = endpoint(organization)
    [event] = happen(organization)
    [first] = claim()
    assert not claim()
    with time_machine.travel(timezone.now() + claims.LEASE + timedelta(seconds=1), tick=False):
        [second] = claim()
        assert (second.webhook_id, second.token) == (event.public_id, first.token + 1)
        record(first, answer(410))  # the fencing token is the other's
        made.refresh_from_db()
        assert (made.status, Attempt.objects.count()) == ("enabled", 0)
        record(second, answer(200))
    assert Delivery.objects.get().status == "succeeded"


def test_what_can_not_be_recorded_keeps_its_lease_and_the_others_go_on(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = results.record

    def broken(answered: Any, now: Any, **options: Any) -> None:
        if any(work.endpoint == bad.pk for work, _ in answered):
            raise OverflowError
        real(answered, now, **options)

    monkeypatch.setattr(results, "record", broken)
    with inbox() as box:
        bad, good = endpoint(organization, box.url), endpoint(organization, box.url)
        happen(organization, 3)
        assert worker.run() == 4  # the first of the bad one's, and all of the good one's
    bad.refresh_from_db()
    assert bad.leased_until
    assert bad.leased_until > timezone.now()
    assert set(good.deliveries.values_list("status", flat=True)) == {"succeeded"}
    assert set(bad.deliveries.values_list("status", flat=True)) == {"pending"}


def test_no_transaction_is_open_while_sending(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def watched(*arguments: Any, **options: Any) -> Any:
        seen.append(connection.in_atomic_block)
        return wait(*arguments, **options)

    monkeypatch.setattr("accounts.webhooks.worker.wait", watched)
    organization = factories.organization("Atomic")
    with inbox() as box:
        endpoint(organization, box.url)
        happen(organization)
        assert worker.run() == 1
    assert seen
    assert not any(seen)


def test_one_statement_claims_and_another_records_whatever_is_ready(organization: Organization) -> None:
    rows = [endpoint(organization) for _ in range(3)]
    happen(organization, 2)
    works = claim(places=10)
    assert {work.endpoint for work in works} == {row.pk for row in rows}
    assert len(works) == 3
    assert not claim(places=10)  # one at a time for each
    answers = [answer(200), answer(500), answer(200)]
    results.record(list(zip(works, answers, strict=True)), timezone.now(), over={row.pk for row in rows})
    assert sorted(Delivery.objects.exclude(attempt_count=0).values_list("status", flat=True)) == [
        "pending",
        "succeeded",
        "succeeded",
    ]
    assert len(claim(places=10)) == 2
    assert len(claim(places=10, failing=True)) == 1


def test_a_quick_endpoint_gets_several_at_once_and_a_slow_one_does_not(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "QUICK_MS", 150)
    for seconds, few, most in ((0.05, 2, 8), (0.2, 1, 1)):
        WebhookEndpoint.objects.all().delete()
        with inbox(seconds=seconds) as box:
            endpoint(organization, box.url)
            happen(organization, 15 if most > 1 else 3)
            worker.run()
        assert few <= box.most_at_once <= most  # fewer where the machine is busy


def test_a_delivery_that_fails_alone_keeps_its_schedule(organization: Organization) -> None:
    """One event that a receiver can't take isn't tried again whenever another was received."""
    endpoint(organization)
    happen(organization, 3)
    attempt(answer(500))
    attempt(answer(200))
    attempt(answer(200))
    assert not claim()
    assert not claim(failing=True)
