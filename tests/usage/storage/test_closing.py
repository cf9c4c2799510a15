"""The close of a month: what comes after its mark knows that it is late; what came before is in the closed figures."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import Organization
from billing.ledger import posting
from tests import factories
from tests.concurrency import race
from tests.usage.metering.batches import balance, event, outcomes, record
from usage.models import UsageEvent
from usage.reporting import totals
from usage.storage import closing

MAY = datetime(2015, 5, 1, tzinfo=UTC)
JUNE = datetime(2015, 6, 1, tzinfo=UTC)
IN_MAY = "2015-05-17T10:05:00Z"
UNLOCKED = posting.LOCK.replace("FOR NO KEY UPDATE", "")


def late(organization: Organization) -> dict[str, bool]:
    return dict(UsageEvent.objects.of(organization).values_list("id", "late"))


def test_an_event_that_occurred_before_the_mark_is_late(funded: Organization) -> None:
    closing.close(funded.pk, JUNE)
    moments = {"before": "2015-05-31T23:59:59.999999Z", "at": "2015-06-01T00:00:00Z"}
    record(*(event(funded, id=id, occurred_at=at) for id, at in moments.items()))
    assert late(funded) == {"before": True, "at": False}


def test_without_a_close_nothing_is_late(funded: Organization) -> None:
    record(event(funded, id="x", occurred_at="2001-01-01"))
    assert late(funded) == {"x": False}


def test_a_late_event_is_charged_and_lands_in_its_own_month(funded: Organization) -> None:
    closing.close(funded.pk, JUNE)
    assert outcomes(event(funded, occurred_at=IN_MAY)) == ["accepted"]
    assert balance(funded) == Decimal("99.999")
    assert totals.of(funded, MAY, JUNE).requests == 1


def test_what_was_there_before_the_close_does_not_become_late(funded: Organization) -> None:
    record(event(funded, id="x", occurred_at=IN_MAY))
    closing.close(funded.pk, JUNE)
    assert late(funded) == {"x": False}


def test_the_mark_of_the_root_is_that_of_its_tree_alone(funded: Organization) -> None:
    child, other = Organization.objects.create_child(funded, name="Child"), factories.organization()
    closing.close(funded.pk, JUNE)
    record(event(child, id="x", occurred_at=IN_MAY), event(other, id="y", occurred_at=IN_MAY))
    assert late(child) | late(other) == {"x": True, "y": False}


def test_the_mark_never_goes_back(funded: Organization) -> None:
    assert closing.close(funded.pk, JUNE) == JUNE
    assert closing.close(funded.pk, MAY) == JUNE


def test_what_is_still_to_come_is_not_closed(funded: Organization) -> None:
    with pytest.raises(ValueError, match="not passed"):
        closing.close(funded.pk, timezone.now() + timedelta(seconds=5))


def test_a_payer_without_a_ledger_is_closed_as_well(organization: Organization) -> None:
    assert closing.close(organization.pk, JUNE) == JUNE
    assert balance(organization) == 0


def close_while_an_event_is_on_its_way(organization: Organization, *, event_first: bool) -> None:
    """Both at once: the first has done its work, but not committed, when the second begins."""
    begun = Event()

    def first_of(work: Callable[[], None]) -> None:
        with transaction.atomic():
            work()
            begun.set()
            time.sleep(0.2)

    def second_of(work: Callable[[], None]) -> None:
        begun.wait(timeout=30)
        work()

    def ingest() -> None:
        assert outcomes(event(organization, id="x", occurred_at=IN_MAY)) == ["accepted"]

    def close() -> None:
        closing.close(organization.pk, JUNE)

    both = (ingest, close) if event_first else (close, ingest)
    assert race([lambda: first_of(both[0]), lambda: second_of(both[1])]) == [None, None]


@pytest.fixture
def payer(committed: None) -> Organization:
    payer = factories.organization()
    factories.credit(payer, 100)
    return payer


@pytest.mark.parametrize("event_first", [True, False])
def test_an_event_is_late_if_the_close_commits_before_it(payer: Organization, event_first: bool) -> None:
    close_while_an_event_is_on_its_way(payer, event_first=event_first)
    assert late(payer) == {"x": not event_first}


def test_without_the_lock_an_event_would_miss_a_close_that_commits_before_it(
    payer: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: the event is not in the closed figures, and does not know that it is late."""
    monkeypatch.setattr(posting, "LOCK", UNLOCKED)
    close_while_an_event_is_on_its_way(payer, event_first=False)
    assert late(payer) == {"x": False}
