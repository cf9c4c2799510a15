"""Usage events note when a key was last used, as the gate does: at most once a minute, and nobody waits for it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from accounts.models import Organization
from apikeys.models import ApiKey
from tests import factories
from tests.concurrency import race
from tests.usage.metering.batches import event, outcomes, record

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def key(funded: Organization) -> ApiKey:
    return factories.key(funded)[0]


def last_used(key: ApiKey) -> datetime | None:
    return ApiKey.objects.get(pk=key.pk).last_used_at


def test_a_key_was_used_when_its_last_event_occurred(key: ApiKey) -> None:
    occurred = [NOW - timedelta(days=3), NOW - timedelta(days=2), NOW - timedelta(days=9)]
    record(*(event(key, occurred_at=moment.isoformat()) for moment in occurred), at=NOW)
    assert last_used(key) == NOW - timedelta(days=2)


def test_of_a_batch_each_key_is_noted(funded: Organization) -> None:
    keys = [factories.key(funded, environment=environment)[0] for environment in ("live", "test")]
    record(*(event(key) for key in keys), event(funded), at=NOW)
    assert [last_used(key) for key in keys] == [NOW, NOW]


def test_use_is_noted_once_a_minute(key: ApiKey) -> None:
    for seconds, noted in ((0, 0), (59, 0), (60, 60), (119, 60)):
        record(event(key), at=NOW + timedelta(seconds=seconds))
        assert last_used(key) == NOW + timedelta(seconds=noted)


def test_an_event_of_before_takes_nothing_back(key: ApiKey) -> None:
    record(event(key), at=NOW)
    record(event(key, occurred_at=(NOW - timedelta(days=1)).isoformat()), at=NOW + 2 * MINUTE)
    assert last_used(key) == NOW


def test_what_was_rejected_or_known_was_no_use(key: ApiKey) -> None:
    record(event(key, meter="fax"), event(key, quantity=-1), at=NOW)
    assert last_used(key) is None
    record(event(key, id="x"), at=NOW)
    assert outcomes(event(key, id="x"), at=NOW + 5 * MINUTE) == ["duplicate"]
    assert last_used(key) == NOW


def test_events_do_not_wait_for_a_key_that_is_locked(committed: None) -> None:
    """The note is left to the next batch."""
    key, _ = factories.key(factories.organization())
    with transaction.atomic():
        ApiKey.objects.select_for_update().get(pk=key.pk)
        assert race([lambda: outcomes(event(key))]) == [["accepted"]]
    assert last_used(key) is None
    record(event(key))
    assert last_used(key) is not None
