"""The sequence of events: given after the commit, without gaps, so that a reader misses nothing."""

from threading import Barrier, Thread
from threading import Event as Signal
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts import events, people, tokens
from accounts.events import publication
from accounts.models import Event, Organization, PublishedEvent, UnpublishedEvent, User
from accounts.webhooks import outbox
from tests import factories
from tests.concurrency import race
from tests.conftest import Api


def happen(organization: Organization) -> Event:
    return events.record(organization.pk, "organization.resumed", {}, timezone.now())


def publish() -> int:
    return publication.publish_due(outbox.fan_out)


def sequences(root: Organization) -> list[int]:
    return list(PublishedEvent.objects.filter(root=root).order_by("sequence").values_list("sequence", flat=True))


def read(client: Any, query: str) -> list[tuple[str, int | None]]:
    answer = client.get(f"/v1/events?{query}")
    assert answer.status_code == 200, answer.json()
    return [(row["id"], row["sequence"]) for row in answer.json()["results"]]


def test_the_events_of_a_tree_are_numbered_together_and_other_trees_apart(
    organization: Organization, charlie: User
) -> None:
    child = people.add_child(organization, name="Child")
    made = [happen(node) for node in (organization, child, organization)]
    other = charlie.current_organization
    assert other
    happen(other)
    publish()
    assert [PublishedEvent.objects.get(event=event).sequence for event in made] == [2, 3, 4]  # after the child's making
    assert sequences(other) == [1]
    assert not UnpublishedEvent.objects.exists()
    happen(child)
    publish()
    assert sequences(organization) == [1, 2, 3, 4, 5]


def test_more_than_a_batch_is_published(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publication, "BATCH", 2)
    for _ in range(5):
        happen(organization)
    assert publish() == 5
    assert sequences(organization) == [1, 2, 3, 4, 5]


def test_after_reads_in_order_what_is_published(api: Any, alice: User, organization: Organization) -> None:
    first, second = happen(organization), happen(organization)
    client = api(alice)
    assert read(client, "after=0") == []
    assert read(client, "") == [(second.public_id, None), (first.public_id, None)]
    publish()
    assert read(client, "after=0") == [(first.public_id, 1), (second.public_id, 2)]
    assert read(client, "after=1") == [(second.public_id, 2)]
    assert read(client, "after=2") == []


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "", "9" * 30])
def test_a_bad_after_is_refused(api: Any, alice: User, value: str) -> None:
    answer = api(alice).get(f"/v1/events?after={value}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/after")


def test_a_reader_by_after_finds_what_commits_late(committed: None) -> None:
    """With the negative control: a reader who remembers the last id loses the event that commits after it."""
    person = factories.user("late")
    organization = person.current_organization
    assert organization
    client = Api(tokens.issue(person, organization).access)
    began, finish = Signal(), Signal()
    late: list[Event] = []

    def slow() -> None:
        with transaction.atomic():
            late.append(happen(organization))
            began.set()
            assert finish.wait(60)
        connection.close()

    thread = Thread(target=slow)
    thread.start()
    assert began.wait(60)
    early = happen(organization)
    assert late[0].pk < early.pk  # made before, committed after
    publish()
    [(_, sequence)] = read(client, "after=0")
    by_id = Event.objects.filter(organization=organization).order_by("id").last()
    assert by_id
    finish.set()
    thread.join()
    publish()
    assert not Event.objects.filter(organization=organization, id__gt=by_id.pk).exists()  # lost by the cursor over ids
    assert read(client, f"after={sequence}") == [(late[0].public_id, 2)]


def test_publishers_at_once_leave_no_gap_and_no_duplicate(committed: None) -> None:
    organization = factories.organization("Busy")

    def work() -> None:
        for _ in range(5):
            happen(organization)
            publish()

    assert race([work] * 4) == [None] * 4
    publish()
    assert sequences(organization) == list(range(1, 21))


def test_publishers_without_the_lock_collide(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the test above: the lock is what keeps them apart."""
    monkeypatch.setattr(publication, "LOCK", "SELECT 1 WHERE %(root)s::uuid IS NOT NULL")
    sealed = publication._sealed

    together, met = Barrier(4), Signal()

    def wait_for_all(root: UUID, events: Any) -> list[PublishedEvent]:
        places = list(sealed(root, events))
        if not met.is_set():  # until all have read the same number
            together.wait(timeout=60)
            met.set()
        return places

    monkeypatch.setattr(publication, "_sealed", wait_for_all)
    organization = factories.organization("Lockless")
    for _ in range(3):
        happen(organization)
    results = race([publish] * 4)
    assert [type(result) for result in results].count(IntegrityError) == 3
    monkeypatch.undo()
    publish()
    assert sequences(organization) == [1, 2, 3]
