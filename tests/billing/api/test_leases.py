"""/v1/credits/leases: a gateway takes a slice of credits, spends it on its own, and gives the rest back."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts import people
from accounts.models import Organization, User
from apikeys.models import ApiKey
from billing.ledger import posting
from billing.ledger.lots import Lot
from billing.models import Hold
from tests import factories
from tests.billing.api.reservations import LEASES as PATH
from tests.billing.api.reservations import act, figures, take
from tests.conftest import Api
from usage.storage import reconciliation


def report(gateway: Api, lease: Any, id: str, credits: int) -> Any:
    """Usage of the lease that is worth so many credits."""
    event = {"id": id, "organization": lease["organization"], "meter": "sms", "quantity": credits * 100}
    return gateway.post("/v1/usage/events", {**event, "hold": lease["id"]}).json()


def test_a_lease_reserves_a_slice(gateway: Api, funded: Organization) -> None:
    answer = take(gateway, funded, reference="node-1")
    assert answer.status_code == 201
    lease = answer.json()
    placed, until, expires = (datetime.fromisoformat(lease[n]) for n in ("created_at", "spend_until", "expires_at"))
    assert (until - placed, expires - until) == (timedelta(seconds=60), timedelta(seconds=60))
    assert {**lease, "id": "", "created_at": "", "spend_until": "", "expires_at": ""} == {
        **dict.fromkeys(("id", "created_at", "spend_until", "expires_at"), ""),
        "status": "open",
        "amount": 10,
        "captured": 0,
        "organization": funded.public_id,
        "key_id": None,
        "reference": "node-1",
    }
    assert figures(funded) == (100, 10)


def test_of_too_little_it_takes_what_there_is_down_to_the_minimum(gateway: Api, funded: Organization) -> None:
    take(gateway, funded, 95)
    refused = take(gateway, funded, 10)
    assert (refused.status_code, refused.json()["code"], refused.json()["available"]) == (402, "not_enough_credits", 5)
    assert take(gateway, funded, 10, minimum="5.1").status_code == 402
    assert take(gateway, funded, 10, minimum=5).json()["amount"] == 5
    assert figures(funded) == (100, 100)


def test_usage_that_names_it_draws_it_down_and_it_stays_open(gateway: Api, funded: Organization) -> None:
    lease = take(gateway, funded).json()
    assert report(gateway, lease, "e1", 3)["credits"] == 3
    assert report(gateway, lease, "e2", 4)["credits"] == 4
    assert report(gateway, lease, "e2", 4)["duplicate"] == 1
    shown = gateway.get(f"{PATH}/{lease['id']}").json()
    assert (shown["status"], shown["captured"]) == ("open", 7)
    assert figures(funded) == (93, 3)


def test_more_than_it_has_is_settled_all_the_same(gateway: Api, funded: Organization) -> None:
    lease = take(gateway, funded).json()
    report(gateway, lease, "e1", 12)
    assert figures(funded) == (88, 0)
    report(gateway, lease, "e2", 1)
    assert figures(funded) == (87, 0)
    assert act(gateway, lease, "return").json()["captured"] == 13


def test_returning_frees_what_was_not_spent(gateway: Api, funded: Organization) -> None:
    lease = take(gateway, funded).json()
    report(gateway, lease, "e1", 3)
    answer = act(gateway, lease, "return")
    assert (answer.status_code, answer.json()["status"], answer.json()["captured"]) == (200, "released", 3)
    assert figures(funded) == (97, 0)
    again = act(gateway, lease, "return")
    assert (again.status_code, again.json()["code"]) == (409, "hold_resolved")


def test_usage_after_the_return_is_plain_usage(gateway: Api, funded: Organization) -> None:
    lease = take(gateway, funded).json()
    act(gateway, lease, "return")
    assert report(gateway, lease, "e1", 3)["accepted"] == 1
    assert figures(funded) == (97, 0)


def test_extending_gives_time_and_more_credits(gateway: Api, funded: Organization) -> None:
    lease = take(gateway, funded, grace_seconds=30).json()
    report(gateway, lease, "e1", 8)
    longer = act(gateway, lease, "extend", {"amount": 5, "ttl_seconds": 600}).json()
    assert (longer["amount"], longer["captured"], figures(funded)) == (15, 8, (92, 7))
    until, expires = (datetime.fromisoformat(longer[name]) for name in ("spend_until", "expires_at"))
    assert expires - until == timedelta(seconds=30)
    assert until - timezone.now() > timedelta(seconds=590)
    assert act(gateway, lease, "extend", {"ttl_seconds": 1}).json()["spend_until"] == longer["spend_until"]


def test_extending_beyond_what_is_available_changes_nothing(gateway: Api, funded: Organization) -> None:
    lease = take(gateway, funded).json()
    answer = act(gateway, lease, "extend", {"amount": 91, "ttl_seconds": 600})
    assert (answer.status_code, answer.json()["available"]) == (402, 90)
    assert gateway.get(f"{PATH}/{lease['id']}").json() == lease


def test_in_debt_a_lease_still_gets_time_for_what_it_has(gateway: Api, funded: Organization) -> None:
    lease = take(gateway, funded).json()
    posting.post(funded.pk, kind=posting.Kind.ADJUSTMENT, amount=Decimal(-200), now=timezone.now())
    assert act(gateway, lease, "extend").status_code == 200
    assert act(gateway, lease, "extend", {"amount": "0.1"}).status_code == 402


def test_beyond_a_budget_a_lease_still_gets_time_for_what_it_has(gateway: Api, funded: Organization) -> None:
    lease = take(gateway, funded).json()
    Organization.objects.filter(pk=funded.pk).update(monthly_budget=5)
    assert act(gateway, lease, "extend").status_code == 200
    assert act(gateway, lease, "extend", {"amount": "0.1"}).json()["code"] == "budget_exceeded"


def test_a_lease_takes_no_more_than_its_budget_allows(gateway: Api, funded: Organization) -> None:
    Organization.objects.filter(pk=funded.pk).update(monthly_budget=5)
    assert take(gateway, funded).status_code == 402
    assert take(gateway, funded, minimum=1).json()["amount"] == 5


@pytest.mark.parametrize("ended", ["returned", "expired"])
def test_what_has_ended_is_not_extended(gateway: Api, funded: Organization, ended: str) -> None:
    start = timezone.now() - timedelta(minutes=3) if ended == "expired" else timezone.now()
    with time_machine.travel(start):
        lease = take(gateway, funded).json()
    if ended == "returned":
        act(gateway, lease, "return")
    answer = act(gateway, lease, "extend")
    assert (answer.status_code, answer.json()["code"]) == (409, "lease_ended")


def test_while_expired_credits_are_kept_for_it_a_lease_is_not_extended(
    gateway: Api, organization: Organization
) -> None:
    """It would keep them without end. One that was taken after the expiry has other credits."""
    soon = Lot(expires_at=timezone.now() + timedelta(seconds=30))
    posting.post(organization.pk, kind=posting.Kind.PURCHASE, amount=Decimal(10), lot=soon, now=timezone.now())
    posting.post(organization.pk, kind=posting.Kind.PURCHASE, amount=Decimal(10), now=timezone.now())
    before = take(gateway, organization).json()
    with time_machine.travel(timezone.now() + timedelta(seconds=40), tick=False):
        after = take(gateway, organization).json()
        for change in ({}, {"amount": 1}):
            refused = act(gateway, before, "extend", change)
            assert (refused.status_code, refused.json()["code"]) == (409, "lease_ended")
        assert gateway.get(f"{PATH}/{before['id']}").json() == before
        assert act(gateway, after, "extend").status_code == 200
        act(gateway, before, "return")
        assert figures(organization) == (20, 10)
        assert posting.available(organization.pk, timezone.now()) == 0


def test_a_retry_gets_its_answer_although_the_organization_was_suspended(gateway: Api, funded: Organization) -> None:
    body = {"organization": funded.public_id, "amount": 10}
    lease = gateway.post(PATH, body, idempotency_key="l1").json()
    longer = act(gateway, lease, "extend", {"amount": 5}, idempotency_key="e1").json()
    Organization.objects.filter(pk=funded.pk).update(status="suspended")
    assert gateway.post(PATH, body, idempotency_key="l1").json() == lease
    assert act(gateway, lease, "extend", {"amount": 5}, idempotency_key="e1").json() == longer
    assert act(gateway, lease, "extend", {"amount": 5}, idempotency_key="e2").status_code == 403


def test_a_lease_names_no_test_key(gateway: Api, funded: Organization) -> None:
    test, _ = factories.key(funded, environment="test")
    answer = take(gateway, funded, key_id=test.public_id)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/key_id")


def test_in_its_grace_a_lease_is_open_and_after_it_expired(gateway: Api, funded: Organization) -> None:
    start = timezone.now()
    lease = take(gateway, funded).json()
    for seconds, status, available in ((61, "open", 90), (119, "open", 90), (121, "expired", 100)):
        with time_machine.travel(start + timedelta(seconds=seconds)):
            assert gateway.get(f"{PATH}/{lease['id']}").json()["status"] == status
            assert posting.available(funded.pk, timezone.now()) == available


def test_an_expired_lease_may_still_be_returned(gateway: Api, funded: Organization) -> None:
    with time_machine.travel(timezone.now() - timedelta(minutes=3)):
        lease = take(gateway, funded).json()
    assert act(gateway, lease, "return").json()["status"] == "released"
    assert figures(funded) == (100, 0)


def test_the_books_agree_while_a_lease_is_drawn_from(gateway: Api, funded: Organization) -> None:
    lease = take(gateway, funded).json()
    report(gateway, lease, "e1", 3)
    assert reconciliation.run() == []


def test_the_same_key_takes_extends_and_returns_once(gateway: Api, funded: Organization) -> None:
    body = {"organization": funded.public_id, "amount": 10}
    lease, again = (gateway.post(PATH, body, idempotency_key="l1").json() for _ in range(2))
    assert lease == again
    for verb, change in (("extend", {"amount": 5}), ("return", {})):
        first, second = (act(gateway, lease, verb, change, idempotency_key=verb) for _ in range(2))
        assert (first.status_code, second.status_code, first.json()) == (200, 200, second.json())
    assert Hold.objects.get().amount == 15


BAD: dict[str, list[Any]] = {
    "amount": [0, -1, None, "x", "0.0000000001", 10**9 + 1],
    "minimum": [0, -1, 11, None, "x"],
    "ttl_seconds": [0, 86401, None],
    "grace_seconds": [-1, 86401, None],
    "reference": ["a" * 101, "a\nb", None],
    "organization": [None, "", [], "a" * 22],
    "key_id": ["key_0000000000000000", 1.5, ""],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_a_bad_value_is_named_and_nothing_is_reserved(
    gateway: Api, funded: Organization, field: str, value: Any
) -> None:
    answer = take(gateway, funded, **{field: value}) if field != "organization" else gateway.post(PATH, {field: value})
    assert answer.status_code == 400
    assert f"/{field}" in [error["pointer"] for error in answer.json()["errors"]]
    assert not Hold.objects.exists()


@pytest.mark.parametrize("body", [{"amount": -1}, {"amount": None}, {"ttl_seconds": 0}, {"ttl_seconds": 86401}])
def test_a_bad_extension_changes_nothing(gateway: Api, funded: Organization, body: Any) -> None:
    lease = take(gateway, funded).json()
    assert act(gateway, lease, "extend", body).status_code == 400
    assert gateway.get(f"{PATH}/{lease['id']}").json() == lease


def test_customers_see_leases_and_take_none(api: Any, alice: User, gateway: Api, funded: Organization) -> None:
    lease = take(gateway, funded).json()
    assert api(alice).get(PATH).json()["results"] == [lease]
    assert api(alice).get(f"{PATH}/{lease['id']}").json() == lease
    for path in (PATH, f"{PATH}/{lease['id']}/extend", f"{PATH}/{lease['id']}/return"):
        bodies: tuple[Any, ...] = ({"organization": funded.public_id, "amount": 1}, {}, [])
        for body in bodies:
            answer = api(alice).post(path, body)
            assert (answer.status_code, answer.json()["code"]) == (403, "platform_key_required")
    assert figures(funded) == (100, 10)


def test_strangers_see_nothing(api: Any, charlie: User, gateway: Api, funded: Organization) -> None:
    lease = take(gateway, funded).json()
    assert api(charlie).get(PATH).json()["count"] == 0
    assert api(charlie).get(f"{PATH}/{lease['id']}").status_code == 404


def test_a_child_is_leased_its_roots_credits(gateway: Api, funded: Organization) -> None:
    child = people.add_child(funded, name="Child")
    key, _ = factories.key(child)
    lease = take(gateway, child, key_id=key.public_id).json()
    assert (lease["organization"], lease["key_id"]) == (child.public_id, key.public_id)
    assert figures(funded) == (100, 10)
    assert take(gateway, funded, key_id=key.public_id).status_code == 400
    assert ApiKey.objects.of(child).exists()


def test_a_suspended_organization_gets_no_credits_and_no_time(gateway: Api, funded: Organization) -> None:
    lease = take(gateway, funded).json()
    Organization.objects.filter(pk=funded.pk).update(status="suspended")
    for answer in (take(gateway, funded), act(gateway, lease, "extend")):
        assert (answer.status_code, answer.json()["code"]) == (403, "organization_suspended")
    assert report(gateway, lease, "e1", 3)["accepted"] == 1
    assert act(gateway, lease, "return").status_code == 200
    assert figures(funded) == (97, 0)


def test_a_hold_is_no_lease(gateway: Api, funded: Organization) -> None:
    hold = gateway.post("/v1/credits/holds", {"organization": funded.public_id, "amount": 1}).json()
    assert gateway.get(f"{PATH}/{hold['id']}").status_code == 404
    assert act(gateway, hold, "extend").status_code == 404
    assert gateway.get(f"{PATH}?organization={funded.public_id}").json()["count"] == 0
    assert gateway.get(PATH).status_code == 400
