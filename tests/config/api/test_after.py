"""Lists that only grow, read by `after`: a poller misses nothing and reads nothing twice."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts import events
from accounts.events import publication
from accounts.models import Organization, User
from accounts.webhooks import outbox
from billing.models import BillingAccount, PaymentMethod
from billing.payments import purchases
from tests import factories
from tests.concurrency import race
from tests.conftest import Api

TARGET = "made_here"  # payments are events too
LEDGER, EVENTS, PAYMENTS = "/auth/account/ledger", "/v1/events", "/v1/payments"


OURS = {"target": TARGET}


def happen(organization: Organization, type: str = "organization.resumed") -> str:
    return events.record(organization.pk, type, {}, timezone.now(), targets=[TARGET]).public_id


def card(organization: Organization) -> None:
    """A card on file, without the events of adding one."""
    BillingAccount.objects.create(organization=organization, name="Acme", email="a@example.com", country="US")
    shown = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2040}
    PaymentMethod.objects.create(
        organization=organization, gateway="sandbox", gateway_token="pm_card_visa", is_default=True, **shown
    )


def pay(organization: Organization) -> str:
    return purchases.begin(organization, amount=Decimal(5), method=None, by="test").public_id


def poll(client: Api, path: str, after: Any = 0, **params: Any) -> dict[str, Any]:
    params = {"after": after, **params, **(OURS if path == EVENTS else {})}
    query = "&".join(f"{name}={value}" for name, value in params.items())
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
    card(organization)
    made: dict[str, list[Any]] = {LEDGER: [], EVENTS: [], PAYMENTS: []}
    for number in range(7):
        made[LEDGER].append(factories.credit(organization, 1).seq)
        made[EVENTS].append(happen(organization, f"organization.{'suspended' if number == 4 else 'resumed'}"))
        made[PAYMENTS].append(pay(organization))
    publication.publish_due(outbox.fan_out)
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
    ours = f"?target={TARGET}" if path == EVENTS else ""
    assert ids(api(owner).get(path + ours).json()) == lists[path][::-1]


def test_filters_go_along(lists: Any, owner: User, api: Any) -> None:
    assert ids(poll(api(owner), EVENTS, lists[EVENTS][1], type="organization.suspended")) == lists[EVENTS][4:5]
    assert ids(poll(api(owner), LEDGER, 5, type="credit")) == [6, 7]


def test_an_event_is_named_by_its_sequence_too(lists: Any, owner: User, api: Any) -> None:
    fifth = poll(api(owner), EVENTS)["results"][4]["sequence"]
    assert ids(poll(api(owner), EVENTS, fifth)) == lists[EVENTS][5:]


def test_past_an_event_that_is_not_published_is_nothing_yet(owner: User, api: Any) -> None:
    first, second = (happen(owner.current_organization) for _ in range(2))  # type: ignore[arg-type]
    assert ids(poll(api(owner), EVENTS, first)) == []
    publication.publish_due(outbox.fan_out)
    assert ids(poll(api(owner), EVENTS, first)) == [second]


@pytest.mark.parametrize(
    ("path", "after"),
    [
        (LEDGER, "-1"), (LEDGER, "x"), (LEDGER, ""), (LEDGER, "1" * 19), (LEDGER, "٣"), (EVENTS, "evt_1"), (EVENTS, ""),
        (EVENTS, f"evt_{'0' * 32}"), (EVENTS, "-1"), (PAYMENTS, "evt_1"), (PAYMENTS, f"pay_{'0' * 32}"),
        ("/v1/members", "0"),
    ],
)  # fmt: skip
def test_what_is_no_id_of_the_list_is_refused(db: None, alice: User, api: Any, path: str, after: str) -> None:
    factories.billing_account(alice.current_organization)  # type: ignore[arg-type]
    answer = api(alice).get(f"{path}?after={after}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/after")


def test_anothers_event_is_none_of_the_list(db: None, alice: User, charlie: User, api: Any) -> None:
    theirs = happen(charlie.current_organization)  # type: ignore[arg-type]
    assert api(alice).get(f"{EVENTS}?after={theirs}").status_code == 400


def test_it_is_not_combined_with_an_offset(db: None, alice: User, api: Any) -> None:
    assert api(alice).get(f"{EVENTS}?after=0&offset=0").json()["errors"][0]["pointer"] == "/offset"


def test_a_poller_of_many_writers_reads_each_entry_and_payment_once(owner: User, api: Any) -> None:
    organization: Any = owner.current_organization
    card(organization)
    client, known = api(owner), {LEDGER: list[Any](), EVENTS: list[Any](), PAYMENTS: list[Any]()}

    def write() -> list[tuple[str, Any]]:
        made: list[tuple[str, Any]] = []
        for _ in range(5):
            made.append((LEDGER, factories.credit(organization, 1).seq))
            made.append((EVENTS, happen(organization)))
            made.append((PAYMENTS, pay(organization)))
        return made

    def read() -> None:
        publication.publish_due(outbox.fan_out)
        for path, seen in known.items():
            seen.extend(ids(poll(client, path, seen[-1] if seen else 0, limit=2)))

    def keep_reading() -> list[tuple[str, Any]]:
        for _ in range(40):
            read()
        return []

    made = [pair for pairs in race([*[write] * 4, keep_reading]) for pair in pairs]
    for _ in range(20):  # in twos, what 20 rounds of writing made
        read()
    for path, seen in known.items():
        assert sorted(seen) == sorted(id for where, id in made if where == path)
