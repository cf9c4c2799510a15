"""Lists that only grow, read by `after`: a poller misses nothing and reads nothing twice."""

from functools import partial
from threading import Event as Signal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts import events
from accounts.models import Event, Organization, User
from billing.payments import payments
from tests import factories
from tests.concurrency import race
from tests.conftest import Api

LEDGER, EVENTS, PAYMENTS = "/auth/account/ledger", "/v1/events", "/v1/payments"


def happen(organization: Organization, type: str) -> str:
    return events.record(organization.pk, type, {}, timezone.now()).public_id


def pay(organization: Organization) -> str:
    return payments.begin(organization, amount=5, method=None, by="test").public_id  # type: ignore[arg-type]


def poll(client: Api, path: str, after: Any = 0, **params: Any) -> dict[str, Any]:
    query = "&".join(f"{name}={value}" for name, value in {"after": after, **params}.items())
    answer = client.get(f"{path}?{query}")
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def ids(body: dict[str, Any]) -> list[Any]:
    return [result["id"] for result in body["results"]]


@pytest.fixture
def owner(committed: None) -> User:
    return factories.user("owner")


@pytest.fixture
def lists(owner: User, api: Any) -> dict[str, list[Any]]:
    """Seven of each, in the order in which they were made."""
    organization: Any = owner.current_organization
    factories.card(organization)
    made: dict[str, list[Any]] = {LEDGER: [], EVENTS: [], PAYMENTS: []}
    for number in range(7):
        made[LEDGER].append(factories.credit(organization, 1).seq)
        made[EVENTS].append(happen(organization, f"test.{number}"))
        made[PAYMENTS].append(pay(organization))
    return made


@pytest.mark.parametrize("path", [LEDGER, EVENTS, PAYMENTS])
def test_pages_follow_one_another_from_the_oldest(lists: Any, owner: User, api: Any, path: str) -> None:
    client, after, pages = api(owner), 0, []
    while True:
        body = poll(client, path, after, limit=3)
        pages.append((body["count"], ids(body)))
        if body["next"] is None:
            break
        assert f"after={ids(body)[-1]}" in body["next"]
        after = ids(body)[-1]
    made = lists[path]
    assert pages == [(7, made[:3]), (4, made[3:6]), (1, made[6:])]
    assert poll(client, path, made[-1]) == {"count": 0, "next": None, "previous": None, "results": []}


@pytest.mark.parametrize("path", [LEDGER, EVENTS, PAYMENTS])
def test_without_it_the_newest_come_first_as_documented(lists: Any, owner: User, api: Any, path: str) -> None:
    assert ids(api(owner).get(path).json()) == lists[path][::-1]


def test_filters_go_along(lists: Any, owner: User, api: Any) -> None:
    assert ids(poll(api(owner), EVENTS, lists[EVENTS][1], type="test.4")) == lists[EVENTS][4:5]
    assert ids(poll(api(owner), LEDGER, 5, type="credit")) == [6, 7]


@pytest.mark.parametrize(
    ("path", "after"),
    [
        (LEDGER, "-1"), (LEDGER, "x"), (LEDGER, ""), (LEDGER, "1" * 19), (LEDGER, "٣"), (EVENTS, "evt_1"), (EVENTS, ""),
        (EVENTS, f"evt_{'0' * 32}"), (EVENTS, "1"), (PAYMENTS, "evt_1"), (PAYMENTS, f"pay_{'0' * 32}"),
        ("/v1/members", "0"),
    ],
)  # fmt: skip
def test_what_is_no_id_of_the_list_is_refused(db: None, alice: User, api: Any, path: str, after: str) -> None:
    factories.billing_account(alice.current_organization)  # type: ignore[arg-type]
    answer = api(alice).get(f"{path}?after={after}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/after")


def test_anothers_event_is_none_of_the_list(db: None, alice: User, charlie: User, api: Any) -> None:
    theirs = happen(charlie.current_organization, "test")  # type: ignore[arg-type]
    assert api(alice).get(f"{EVENTS}?after={theirs}").status_code == 400


def test_it_is_not_combined_with_an_offset(db: None, alice: User, api: Any) -> None:
    assert api(alice).get(f"{EVENTS}?after=0&offset=0").json()["errors"][0]["pointer"] == "/offset"


def late_writer(organization: Organization, read: Any) -> list[Any]:
    """What `read` finds while an event that got its id earlier is not committed yet, and after that."""
    written, committed = Signal(), Signal()

    def slow() -> str:
        with transaction.atomic():
            id = happen(organization, "slow")
            written.set()
            committed.wait(timeout=30)
        return id

    def quick() -> list[Any]:
        try:
            written.wait(timeout=30)
            return [happen(organization, "quick"), read()]
        finally:
            committed.set()

    slow_id, [quick_id, before] = race([slow, quick])
    return [slow_id, quick_id, before, read()]


def test_an_event_that_is_committed_late_is_not_missed(owner: User, api: Any) -> None:
    organization: Any = owner.current_organization
    first = happen(organization, "first")
    client = api(owner)
    slow, quick, before, after = late_writer(organization, lambda: ids(poll(client, EVENTS, first)))
    assert before == []  # it would stand before what the poller knows
    assert after in ([slow, quick], [quick, slow])
    assert ids(poll(client, EVENTS, after[0])) == after[1:]


def test_an_event_whose_id_is_older_than_what_was_read_is_not_missed(owner: User, api: Any) -> None:
    """It got its id before its transaction wrote anything."""
    organization: Any = owner.current_organization
    first = happen(organization, "first")
    late = Event(organization=organization, type="late", created_at=timezone.now())
    quick = happen(organization, "quick")
    client = api(owner)
    assert ids(poll(client, EVENTS, first)) == [quick]
    late.save(force_insert=True)
    assert late.public_id < quick
    assert ids(poll(client, EVENTS, quick)) == [late.public_id]
    assert ids(poll(client, EVENTS, late.public_id)) == []
    assert ids(poll(client, EVENTS, 0)) == [first, quick, late.public_id]


def test_by_their_ids_alone_it_would_be_missed(owner: User) -> None:
    """The control of the test above."""
    organization: Any = owner.current_organization
    slow, quick, before, after = late_writer(
        organization, lambda: [event.public_id for event in Event.objects.of(organization).order_by("id")]
    )
    assert before == [quick]
    assert after == [slow, quick]


def test_a_poller_of_many_writers_reads_each_entry_and_payment_once(owner: User, api: Any) -> None:
    organization: Any = owner.current_organization
    factories.card(organization)
    client, known = api(owner), {LEDGER: list[Any](), EVENTS: list[Any](), PAYMENTS: list[Any]()}

    def write(number: int) -> list[tuple[str, Any]]:
        made: list[tuple[str, Any]] = []
        for turn in range(5):
            made.append((LEDGER, factories.credit(organization, 1).seq))
            made.append((EVENTS, happen(organization, f"test.{number}.{turn}")))
            made.append((PAYMENTS, pay(organization)))
        return made

    def read() -> None:
        for path, seen in known.items():
            seen.extend(ids(poll(client, path, seen[-1] if seen else 0, limit=2)))

    def keep_reading() -> list[tuple[str, Any]]:
        for _ in range(40):
            read()
        return []

    made = [pair for pairs in race([*[partial(write, n) for n in range(4)], keep_reading]) for pair in pairs]
    for _ in range(60):
        read()
    for path, seen in known.items():
        assert sorted(seen) == sorted(id for where, id in made if where == path)
