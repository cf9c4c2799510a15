"""/v1/credits/holds: who may reserve whose credits, and how holds end."""

from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Organization, User
from billing.ledger import holds
from billing.models import Hold, LedgerAccount, LedgerEntry
from tests import factories
from tests.billing.api.reservations import HOLDS as PATH
from tests.billing.api.reservations import figures, place, resolve
from tests.concurrency import race
from tests.conftest import Api

SHOWN = {"id", "status", "amount", "captured", "expires_at", "organization", "key_id", "reference", "metadata"}


def test_a_hold_reserves_credits_for_five_minutes(api: Any, alice: User, funded: Organization) -> None:
    answer = place(api(alice), reference="job-7", metadata={"job": 7, "rate": 0.1, "tags": ["a"]})
    assert answer.status_code == 201
    hold = answer.json()
    assert hold.keys() == SHOWN | {"created_at"}
    assert hold["id"].startswith("hold_")
    assert (hold["status"], hold["amount"], hold["captured"]) == ("open", 10, 0)
    assert (hold["organization"], hold["key_id"], hold["reference"]) == (funded.public_id, None, "job-7")
    assert hold["metadata"] == {"job": 7, "rate": 0.1, "tags": ["a"]}
    placed, expires = (datetime.fromisoformat(hold[name]) for name in ("created_at", "expires_at"))
    assert expires - placed == timedelta(seconds=300)
    assert figures(funded) == (100, 10)
    credits = api(alice).get("/auth/account/credits").json()
    assert (credits["balance"], credits["reserved"], credits["available"]) == (100, 10, 90)


@pytest.mark.parametrize("number", ["12345678.123456789012345", "1" + "0" * 400 + ".5", "0.1"])
def test_numbers_of_the_metadata_come_back_digit_by_digit(gateway: Api, funded: Organization, number: str) -> None:
    """Also numbers that a float would round, or that no float can hold: these would break the payer's list."""
    body = f'{{"organization": "{funded.public_id}", "amount": 1, "metadata": {{"n": {number}}}}}'
    assert gateway.post(PATH, body).status_code == 201
    answer = gateway.get(f"{PATH}?organization={funded.public_id}")
    assert (answer.status_code, f'"n": {number}}}' in answer.content.decode()) == (200, True)


def test_what_is_not_available_is_a_402_that_says_what_is(api: Any, alice: User, funded: Organization) -> None:
    place(api(alice), amount=95)
    answer = place(api(alice), amount="5.000000001")
    assert (answer.status_code, answer.json()["code"], answer.json()["available"]) == (402, "not_enough_credits", 5)
    assert figures(funded) == (100, 95)
    assert place(api(alice), amount=5).status_code == 201


@pytest.mark.parametrize(
    ("body", "captured", "balance"),
    [({}, 10, 90), ({"amount": "2.5"}, 2.5, 97.5), ({"amount": 12}, 12, 88)],
)
def test_capturing_debits_less_as_much_or_more(
    api: Any, alice: User, funded: Organization, body: Any, captured: float, balance: float
) -> None:
    hold = place(api(alice), reference="job-7").json()
    answer = resolve(api(alice), hold, "capture", body)
    assert answer.status_code == 200
    assert answer.json() == {**hold, "status": "captured", "captured": captured}
    assert figures(funded) == (Decimal(str(balance)), 0)
    entry = LedgerEntry.objects.get(account=funded.pk, kind="capture")
    assert (entry.reference, -entry.amount) == ("job-7", Decimal(str(captured)))
    assert entry.actor


@pytest.mark.parametrize("verb", ["capture", "release"])
def test_no_body_is_as_good_as_an_empty_one(api: Any, alice: User, funded: Organization, verb: str) -> None:
    hold, client = place(api(alice)).json(), api(alice)
    headers = {**client.headers, "idempotency-key": "r1"}
    answer = client.client.generic("POST", f"{PATH}/{hold['id']}/{verb}", b"", headers=headers)
    assert (answer.status_code, figures(funded)[1]) == (200, 0)


def test_a_capture_of_nothing_resolves_the_hold_without_an_entry(api: Any, alice: User, funded: Organization) -> None:
    hold = place(api(alice)).json()
    assert resolve(api(alice), hold, "capture", {"amount": 0}).json()["status"] == "captured"
    assert figures(funded) == (100, 0)
    assert not LedgerEntry.objects.filter(kind="capture").exists()
    assert resolve(api(alice), hold, "capture").status_code == 409


def test_a_capture_may_lead_into_debt(api: Any, alice: User, funded: Organization) -> None:
    hold = place(api(alice), amount=100).json()
    assert resolve(api(alice), hold, "capture", {"amount": 150}).status_code == 200
    assert figures(funded) == (-50, 0)
    assert place(api(alice), amount="0.000000001").json()["available"] == -50


def test_releasing_frees_all_of_it(api: Any, alice: User, funded: Organization) -> None:
    hold = place(api(alice)).json()
    assert resolve(api(alice), hold, "release").json() == {**hold, "status": "released"}
    assert figures(funded) == (100, 0)


@pytest.mark.parametrize("first", ["capture", "release"])
@pytest.mark.parametrize("second", ["capture", "release"])
def test_a_hold_is_resolved_once(api: Any, alice: User, funded: Organization, first: str, second: str) -> None:
    hold = place(api(alice)).json()
    resolve(api(alice), hold, first)
    before = figures(funded)
    answer = resolve(api(alice), hold, second)
    assert (answer.status_code, answer.json()["code"]) == (409, "hold_resolved")
    assert figures(funded) == before


@pytest.fixture
def overdue(api: Any, alice: User, funded: Organization) -> Any:
    """A hold of all that there is, which has expired; nobody has settled it."""
    with time_machine.travel(timezone.now() - timedelta(minutes=1)):
        hold = place(api(alice), amount=100, ttl_seconds=1).json()
    assert Hold.objects.get().status == "open"
    return hold


def test_an_overdue_hold_is_expired_for_whoever_looks(api: Any, alice: User, overdue: Any) -> None:
    assert api(alice).get(f"{PATH}/{overdue['id']}").json()["status"] == "expired"
    assert api(alice).get(f"{PATH}?status=expired").json()["count"] == 1
    assert api(alice).get(f"{PATH}?status=open").json()["count"] == 0
    assert api(alice).get(PATH).json()["results"][0]["status"] == "expired"
    assert Hold.objects.get().status == "open"


def test_an_overdue_hold_stands_in_nobodys_way(api: Any, alice: User, funded: Organization, overdue: Any) -> None:
    assert place(api(alice), amount=100).status_code == 201
    assert figures(funded) == (100, 100)


def test_an_overdue_hold_counts_in_no_balance(api: Any, alice: User, overdue: Any) -> None:
    credits = api(alice).get("/auth/account/credits").json()
    assert (credits["reserved"], credits["available"]) == (0, 100)


def test_an_overdue_hold_counts_in_no_summary(committed: None, api: Any) -> None:
    """Which is read in a transaction that writes nothing."""
    alice = factories.user("alice")
    organization = alice.current_organization
    assert organization
    factories.credit(organization, 100)
    with time_machine.travel(timezone.now() - timedelta(minutes=1)):
        holds.place(organization, amount=Decimal(100), ttl=timedelta(seconds=1), now=timezone.now())
    answer = api(alice).get("/auth/account/summary")
    assert answer.status_code == 200
    assert answer.json()["credit_balance"]["available"] == 100


def test_an_overdue_hold_is_captured_late_all_the_same(
    api: Any, alice: User, funded: Organization, overdue: Any
) -> None:
    answer = resolve(api(alice), overdue, "capture", {"amount": 7})
    assert answer.status_code == 200
    assert answer.json() == {**overdue, "status": "captured", "captured": 7, "late": True}
    assert figures(funded) == (93, 0)
    assert resolve(api(alice), overdue, "capture").status_code == 409


def test_an_overdue_hold_may_still_be_released(api: Any, alice: User, overdue: Any) -> None:
    answer = resolve(api(alice), overdue, "release")
    assert (answer.status_code, answer.json()["status"]) == (200, "released")
    assert "late" not in answer.json()


def test_the_same_key_places_one_hold(api: Any, alice: User, funded: Organization) -> None:
    first, again = (api(alice).post(PATH, {"amount": 10}, idempotency_key="h1") for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert figures(funded) == (100, 10)
    assert api(alice).post(PATH, {"amount": 11}, idempotency_key="h1").status_code == 422


@pytest.mark.parametrize("verb", ["capture", "release"])
def test_the_same_key_resolves_it_with_one_answer(api: Any, alice: User, funded: Organization, verb: str) -> None:
    hold = place(api(alice)).json()
    first, again = (resolve(api(alice), hold, verb, idempotency_key="r1") for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()


def test_a_refused_hold_leaves_its_key_free(api: Any, alice: User, funded: Organization) -> None:
    assert api(alice).post(PATH, {"amount": 101}, idempotency_key="h1").status_code == 402
    assert api(alice).post(PATH, {"amount": 100}, idempotency_key="h1").status_code == 201


BAD: dict[str, list[Any]] = {
    "amount": [0, -1, "0", "x", None, True, "1e400", "NaN", "0.0000000001", 10**9 + 1, "1000000000.000000001", [], {}],
    "ttl_seconds": [0, 86401, -1, 1.5, "soon", None, True],
    "reference": ["a" * 101, "a\nb", "a\0b", "\ud800", None, {}],
    "metadata": [None, [], "x", 1, {"a": "\0"}, {"\ud800": 1}, {"a": "x" * 4000}, {"a": [[[[[1]]]]]}],
    "organization": [None, "", "a" * 22, [], {}],
    "key_id": ["key_0000000000000000", "", "a" * 21, "\0", []],
}
CASES = [(field, value) for field, values in BAD.items() for value in values]


@pytest.mark.parametrize(("field", "value"), CASES)
def test_a_bad_value_is_named_and_nothing_is_reserved(
    api: Any, alice: User, funded: Organization, field: str, value: Any
) -> None:
    answer = place(api(alice), **{field: value})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"].startswith(f"/{field}")
    assert figures(funded) == (100, 0)
    assert not Hold.objects.exists()


@pytest.mark.parametrize("amount", [-1, "-0.000000001", "x", None, "0.0000000001", 10**9 + 1])
def test_a_bad_amount_captures_nothing(api: Any, alice: User, funded: Organization, amount: Any) -> None:
    hold = place(api(alice)).json()
    answer = resolve(api(alice), hold, "capture", {"amount": amount})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/amount")
    assert figures(funded) == (100, 10)


def test_the_bounds_themselves_are_good(gateway: Api, organization: Organization) -> None:
    factories.credit(organization, 2 * 10**9)
    for body in ({"amount": 10**9, "ttl_seconds": 86400, "reference": "a" * 100}, {"amount": "0.000000001"}):
        assert place(gateway, organization=organization.public_id, **body).status_code == 201


def test_many_at_once_reserve_no_more_than_there_is(committed: None) -> None:
    organization = factories.organization()
    factories.credit(organization, 100)
    gateway = Api(factories.platform_key())
    answers = race([partial(place, gateway, organization=organization.public_id, amount=30)] * 8)
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [402] * 5
    assert figures(organization) == (100, 90)


def test_of_many_captures_at_once_one_is_made(committed: None) -> None:
    organization = factories.organization()
    factories.credit(organization, 100)
    gateway = Api(factories.platform_key())
    hold = place(gateway, organization=organization.public_id).json()
    answers = race([partial(resolve, gateway, hold, "capture")] * 4 + [partial(resolve, gateway, hold, "release")] * 4)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    (made,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert figures(organization) == (100 - made["captured"], 0)


@pytest.mark.parametrize("verb", ["capture", "release"])
def test_a_customer_does_not_resolve_what_the_platform_holds(
    api: Any, alice: User, gateway: Api, funded: Organization, verb: str
) -> None:
    hold = gateway.post("/v1/credits/holds", {"organization": funded.public_id, "amount": 10}).json()
    refused = api(alice).post(f"/v1/credits/holds/{hold['id']}/{verb}", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "platforms_hold")
    assert LedgerAccount.objects.of(funded).get().available == 90
    assert gateway.post(f"/v1/credits/holds/{hold['id']}/{verb}", {}).status_code == 200
