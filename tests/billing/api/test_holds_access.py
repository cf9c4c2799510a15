"""Who reserves whose credits by /v1/credits/holds, and who sees it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts import people
from accounts.models import Organization, SecurityPolicy, User
from apikeys.models import ApiKey
from billing.ledger import leases
from billing.models import Hold
from tests import factories
from tests.billing.api.reservations import HOLDS as PATH
from tests.billing.api.reservations import figures, place, resolve
from tests.conftest import Api


@pytest.fixture
def key(funded: Organization, alice: User) -> Api:
    """A program of alice's that may spend."""
    permissions = ["credits:read", "credits:write"]
    return Api(factories.key(funded, created_by=alice, permissions=permissions)[1])


def test_a_platform_key_names_the_organization(gateway: Api, funded: Organization) -> None:
    answer = place(gateway, organization=funded.public_id)
    assert (answer.status_code, answer.json()["organization"]) == (201, funded.public_id)
    assert resolve(gateway, answer.json(), "capture").status_code == 200
    nameless = place(gateway)
    assert (nameless.status_code, nameless.json()["errors"][0]["pointer"]) == (400, "/organization")
    assert place(gateway, organization="acct_0000000000000000").status_code == 404


def test_a_childs_hold_is_on_its_roots_account(api: Any, alice: User, funded: Organization) -> None:
    child = people.add_child(funded, name="Child")
    hold = place(api(alice), organization=child.public_id).json()
    assert hold["organization"] == child.public_id
    assert figures(funded) == (100, 10)
    people.switch(alice, child)
    own = place(api(alice)).json()
    assert own["organization"] == child.public_id
    assert figures(funded) == (100, 20)


def test_nobody_names_what_is_above_or_beside(api: Any, alice: User, charlie: User, funded: Organization) -> None:
    child, sibling = (people.add_child(funded, name=name) for name in ("Child", "Sibling"))
    people.switch(alice, child)
    unknown = place(api(alice), organization="acct_0000000000000000")
    assert unknown.status_code == 404
    stranger = charlie.current_organization
    assert stranger
    for other in (funded, sibling, stranger):
        answer = place(api(alice), organization=other.public_id)
        assert (answer.status_code, answer.json()["code"]) == (404, unknown.json()["code"])
    assert not Hold.objects.exists()


def test_a_hold_is_seen_from_above_and_not_from_beneath(
    api: Any, alice: User, gateway: Api, funded: Organization
) -> None:
    child = people.add_child(funded, name="Child")
    above = place(gateway, organization=funded.public_id).json()
    beneath = place(gateway, organization=child.public_id).json()
    assert [hold["id"] for hold in api(alice).get(PATH).json()["results"]] == [beneath["id"], above["id"]]
    people.switch(alice, child)
    assert [hold["id"] for hold in api(alice).get(PATH).json()["results"]] == [beneath["id"]]
    assert api(alice).get(f"{PATH}/{above['id']}").status_code == 404
    assert resolve(api(alice), above, "release").status_code == 404
    assert figures(funded) == (100, 20)


def test_a_suspended_organization_reserves_nothing_but_settles(
    api: Any, alice: User, gateway: Api, funded: Organization
) -> None:
    captured, released = place(gateway, organization=funded.public_id).json(), place(api(alice)).json()
    Organization.objects.filter(pk=funded.pk).update(status="suspended")
    for answer in (place(gateway, organization=funded.public_id), place(api(alice))):
        assert (answer.status_code, answer.json()["code"]) == (403, "organization_suspended")
    assert resolve(gateway, captured, "capture").status_code == 200
    assert resolve(api(alice), released, "release").status_code == 200
    assert figures(funded) == (90, 0)


def test_a_retry_gets_its_answer_although_the_organization_was_suspended(gateway: Api, funded: Organization) -> None:
    body = {"organization": funded.public_id, "amount": 10}
    first = gateway.post(PATH, body, idempotency_key="h1")
    Organization.objects.filter(pk=funded.pk).update(status="suspended")
    again = gateway.post(PATH, body, idempotency_key="h1")
    assert (again.status_code, again.json(), again.headers["Idempotent-Replayed"]) == (201, first.json(), "true")
    assert gateway.post(PATH, body, idempotency_key="h2").status_code == 403


def test_a_hold_may_name_a_key_of_the_organization(gateway: Api, funded: Organization, charlie: User) -> None:
    mine, _ = factories.key(funded)
    theirs, _ = factories.key(charlie.current_organization or funded)
    hold = place(gateway, organization=funded.public_id, key_id=mine.public_id).json()
    assert hold["key_id"] == mine.public_id
    answer = place(gateway, organization=funded.public_id, key_id=theirs.public_id)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/key_id")


def test_a_program_that_reserves_is_the_key_beneath_as_well(key: Api, funded: Organization) -> None:
    """So that its budget counts what it holds."""
    child, own = people.add_child(funded, name="Child"), key.get("/v1/whoami").json()["id"]
    for body in ({}, {"key_id": own}, {"organization": child.public_id}):
        assert place(key, **body).json()["key_id"] == own
    ApiKey.objects.filter(public_id=own).update(monthly_budget=35)
    for refused in (place(key), place(key, organization=child.public_id)):
        assert (refused.status_code, refused.json()["code"], refused.json()["subject"]) == (402, "budget_exceeded", own)


def test_a_program_does_not_pass_for_another_key(key: Api, funded: Organization) -> None:
    """Whose budget may be larger."""
    child = people.add_child(funded, name="Child")
    for owner in (funded, child):
        other, _ = factories.key(owner)
        answer = place(key, organization=owner.public_id, key_id=other.public_id)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/key_id")
    assert not Hold.objects.exists()


def test_a_person_may_name_any_key_of_the_organization(api: Any, alice: User, funded: Organization) -> None:
    other, _ = factories.key(funded)
    assert place(api(alice), key_id=other.public_id).json()["key_id"] == other.public_id


def test_a_test_key_has_nothing_to_do_with_held_credits(
    api: Any, alice: User, gateway: Api, funded: Organization
) -> None:
    test, secret = factories.key(funded, created_by=alice, environment="test", permissions=["credits:write"])
    hold = place(api(alice)).json()
    for answer in (place(Api(secret)), resolve(Api(secret), hold, "capture"), resolve(Api(secret), hold, "release")):
        assert (answer.status_code, answer.json()["code"]) == (403, "live_key_required")
    for named in (
        place(gateway, organization=funded.public_id, key_id=test.public_id),
        place(api(alice), key_id=test.public_id),
    ):
        assert (named.status_code, named.json()["errors"][0]["pointer"]) == (400, "/key_id")
    assert figures(funded) == (100, 10)


def test_it_takes_the_scope(api: Any, bob: User, funded: Organization) -> None:
    answer = place(api(bob))
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert api(bob).get(PATH).status_code == 200


def test_a_childs_networks_bind_what_is_done_to_it_from_above(api: Any, alice: User, funded: Organization) -> None:
    child = people.add_child(funded, name="Child")
    hold = place(api(alice), organization=child.public_id).json()
    SecurityPolicy.objects.create(organization=child, allowed_networks=["192.0.2.0/24"])
    for answer in (place(api(alice), organization=child.public_id), resolve(api(alice), hold, "release")):
        assert (answer.status_code, answer.json()["code"]) == (403, "network_not_allowed")
    assert figures(funded) == (100, 10)


@pytest.mark.parametrize("id", ["hold_0", "x", "hold_" + "0" * 32, "0" * 32, "hold_é"])
def test_there_is_no_such_hold(api: Any, alice: User, id: str) -> None:
    assert api(alice).get(f"{PATH}/{id}").status_code == 404
    assert resolve(api(alice), {"id": id}, "capture").status_code == 404


def test_a_lease_is_no_hold(gateway: Api, funded: Organization) -> None:
    lease = leases.take(funded, amount=Decimal(1), ttl=timedelta(minutes=1), now=timezone.now())
    assert gateway.get(f"{PATH}/{lease.public_id}").status_code == 404
    assert resolve(gateway, {"id": lease.public_id}, "capture").status_code == 404
    assert gateway.get(f"{PATH}?organization={funded.public_id}").json()["count"] == 0


def test_a_platform_key_lists_the_holds_of_an_organization_that_it_names(
    gateway: Api, funded: Organization, charlie: User
) -> None:
    """There may be millions of holds of all of them."""
    child, stranger = people.add_child(funded, name="Child"), charlie.current_organization
    assert stranger
    factories.credit(stranger, 100)
    ids = {owner: place(gateway, organization=owner.public_id).json()["id"] for owner in (funded, child, stranger)}
    for owner, expected in {funded: [ids[child], ids[funded]], child: [ids[child]], stranger: [ids[stranger]]}.items():
        results = gateway.get(f"{PATH}?organization={owner.public_id}").json()["results"]
        assert [hold["id"] for hold in results] == expected
    nameless = gateway.get(PATH)
    assert (nameless.status_code, nameless.json()["errors"][0]["pointer"]) == (400, "/organization")
    assert gateway.get(f"{PATH}?organization=acct_0000000000000000").status_code == 404


def test_others_list_what_is_theirs_or_beneath_it(api: Any, alice: User, charlie: User, funded: Organization) -> None:
    child, stranger = people.add_child(funded, name="Child"), charlie.current_organization
    assert stranger
    own, beneath = place(api(alice)).json(), place(api(alice), organization=child.public_id).json()
    assert [hold["id"] for hold in api(alice).get(PATH).json()["results"]] == [beneath["id"], own["id"]]
    results = api(alice).get(f"{PATH}?organization={child.public_id}").json()["results"]
    assert [hold["id"] for hold in results] == [beneath["id"]]
    assert api(alice).get(f"{PATH}?organization={stranger.public_id}").status_code == 404
    people.switch(alice, child)
    assert api(alice).get(f"{PATH}?organization={funded.public_id}").status_code == 404


def test_the_list_is_filtered(gateway: Api, funded: Organization) -> None:
    key, _ = factories.key(funded)
    with time_machine.travel(timezone.now() - timedelta(days=2), tick=False):
        old = place(gateway, organization=funded.public_id, reference="a", ttl_seconds=86400).json()
    new = place(gateway, organization=funded.public_id, key_id=key.public_id, reference="b").json()
    resolve(gateway, new, "capture")
    yesterday = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for query, expected in {
        "": [new, old],
        "status=captured": [new],
        "status=expired": [old],
        "status=released": [],
        f"key_id={key.public_id}": [new],
        "reference=a": [old],
        f"from={yesterday}": [new],
        f"to={yesterday}": [old],
        "limit=1": [new],
        "limit=1&offset=1": [old],
    }.items():
        results = gateway.get(f"{PATH}?organization={funded.public_id}&{query}").json()["results"]
        assert [hold["id"] for hold in results] == [hold["id"] for hold in expected], query
    for query in ("status=gone", "from=soon", "limit=0"):
        assert gateway.get(f"{PATH}?organization={funded.public_id}&{query}").status_code == 400
