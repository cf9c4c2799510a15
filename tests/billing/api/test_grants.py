"""/v1/credits/grants: the lots of credits, and giving some."""

import base64
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import people
from accounts.models import Organization, User
from billing.ledger import holds, posting
from billing.models import Grant, LedgerAccount, LedgerEntry
from tests import factories
from tests.conftest import Api

PATH = "/v1/credits/grants"


def give(gateway: Api, organization: Organization, amount: object = 10, **body: Any) -> Any:
    return gateway.post(PATH, {"organization": organization.public_id, "amount": amount, **body})


def use(organization: Organization, amount: int | str) -> None:
    posting.post(organization.root_id, kind=LedgerEntry.Kind.USAGE, amount=-Decimal(amount), now=timezone.now())


def test_a_platform_key_gives_credits(gateway: Api, organization: Organization) -> None:
    answer = give(gateway, organization, description="Welcome")
    assert answer.status_code == 201
    grant = answer.json()
    assert grant.pop("id").startswith("grant_")
    assert grant.pop("created_at")
    assert grant == {
        "organization": organization.public_id,
        "category": "promotional",
        "priority": 50,
        "amount": 10,
        "remaining": 10,
        "expires_at": None,
        "entry": 1,
    }
    entry = LedgerEntry.objects.get(account=organization.pk)
    assert (entry.kind, entry.amount, entry.description) == ("grant", 10, "Welcome")
    assert entry.actor.startswith("key_")


def test_a_grant_may_have_another_category_priority_and_expiry(gateway: Api, organization: Organization) -> None:
    soon = (timezone.now() + timedelta(days=3)).isoformat()
    grant = give(gateway, organization, category="paid", priority=0, expires_at=soon).json()
    assert (grant["category"], grant["priority"]) == ("paid", 0)
    assert Grant.objects.get().expires_at == datetime.fromisoformat(soon)


def test_a_closed_payer_gets_none(gateway: Api, funded: Organization) -> None:
    LedgerAccount.objects.filter(pk=funded.pk).update(closed_at=timezone.now())
    answer = give(gateway, funded)
    assert (answer.status_code, answer.json()["code"]) == (409, "organization_closed")
    assert LedgerAccount.objects.get(pk=funded.pk).balance == 100


def test_in_debt_a_grant_pays_that_first(gateway: Api, organization: Organization) -> None:
    use(organization, 7)
    grant = give(gateway, organization).json()
    assert (grant["amount"], grant["remaining"]) == (10, 3)


def test_the_same_key_gives_once(gateway: Api, organization: Organization) -> None:
    body = {"organization": organization.public_id, "amount": 10}
    first, again = (gateway.post(PATH, body, idempotency_key="g1") for _ in range(2))
    assert first.json() == again.json()
    assert LedgerAccount.objects.get(pk=organization.pk).balance == 10


def test_a_repetition_gets_the_first_answer_after_the_expiry_as_well(gateway: Api, organization: Organization) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    body = {"organization": organization.public_id, "amount": 10, "expires_at": soon.isoformat()}
    first = gateway.post(PATH, body, idempotency_key="g1")
    with time_machine.travel(soon + timedelta(minutes=1)):
        again = gateway.post(PATH, body, idempotency_key="g1")
        assert gateway.post(PATH, body, idempotency_key="g2").status_code == 400
    assert (again.status_code, again.json()) == (201, first.json())


BAD: dict[str, list[Any]] = {
    "amount": [0, -1, None, "x", "0.0000000001", 10**9 + 1],
    "category": ["free", "", None, 1],
    "priority": [-1, 101, "high", None],
    "expires_at": ["2001-01-01", "soon", 5, ""],
    "description": ["a" * 201, "a\nb", "\0", None],
    "organization": [None, "", [], "a" * 22],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_a_bad_value_is_named_and_nothing_is_given(
    gateway: Api, organization: Organization, field: str, value: Any
) -> None:
    answer = gateway.post(PATH, {"organization": organization.public_id, "amount": 1, field: value})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{field}")
    assert not LedgerEntry.objects.exists()


def test_customers_give_themselves_nothing(api: Any, alice: User, organization: Organization) -> None:
    bodies: tuple[Any, ...] = ({"organization": organization.public_id, "amount": 1}, {}, [])
    for body in bodies:
        answer = api(alice).post(PATH, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "platform_key_required")
    assert not LedgerEntry.objects.exists()


def test_an_unknown_organization_and_a_child_get_no_grant(gateway: Api, organization: Organization) -> None:
    assert give(gateway, Organization(public_id="acct_0000000000000000")).status_code == 404
    answer = give(gateway, people.add_child(organization, name="Child"))
    assert (answer.status_code, answer.json()["code"]) == (403, "billed_by_parent")


def remaining(client: Api, query: str = "") -> list[tuple[int, float]]:
    """The lots as they are listed: the entry that brought each, and what is left of it."""
    return [(grant["entry"], grant["remaining"]) for grant in client.get(PATH + query).json()["results"]]


def test_the_list_has_all_that_was_spent_taken_from_the_lots(
    api: Any, alice: User, gateway: Api, organization: Organization
) -> None:
    give(gateway, organization, 10)
    give(gateway, organization, 10, priority=1)
    use(organization, 12)
    assert remaining(api(alice)) == [(2, 0), (1, 8)]
    use(organization, 9)
    assert remaining(api(alice)) == [(2, 0), (1, 0)]


def test_what_has_expired_is_not_among_it(api: Any, alice: User, gateway: Api, organization: Organization) -> None:
    give(gateway, organization, 5)
    soon = timezone.now() + timedelta(seconds=1)
    give(gateway, organization, 10, expires_at=soon.isoformat())
    with time_machine.travel(soon + timedelta(seconds=1)):
        assert remaining(api(alice)) == [(2, 0), (1, 5)]
        assert api(alice).get("/auth/account/credits").json()["balance"] == 5
        assert api(alice).get("/auth/account/ledger").json()["results"][0]["amount"] == -10


@pytest.mark.parametrize("face", ["mikrocloud", "plivo", "credits", "overview"])
def test_what_has_expired_is_in_no_balance_anywhere(
    gateway: Api, alice: User, organization: Organization, face: str
) -> None:
    soon = timezone.now() + timedelta(seconds=1)
    give(gateway, organization, 77, expires_at=soon.isoformat())
    factories.billing_account(organization)
    _, secret = factories.key(organization, created_by=alice, permissions=["account:read"])
    browser = Client()
    browser.force_login(alice)
    token = base64.b64encode(f"{organization.auth_id}:{secret}".encode()).decode()
    with time_machine.travel(soon + timedelta(seconds=1)):
        match face:
            case "mikrocloud":
                assert Api(secret).get("/v1/account").json()["balance"] == 0
            case "plivo":
                answer = Api().get(f"/v1/Account/{organization.auth_id}/", authorization=f"Basic {token}")
                assert answer.json()["cash_credits"] == "0.00000"
            case _:
                name = {"credits": "billing:credits", "overview": "usage:overview"}[face]
                page = browser.get(reverse(name, args=[organization.public_id]))
                assert page.context["balance"].balance == 0


def test_the_ledger_shows_an_expiry_to_whoever_looks_first(
    api: Any, alice: User, gateway: Api, organization: Organization
) -> None:
    soon = timezone.now() + timedelta(seconds=1)
    give(gateway, organization, 10, expires_at=soon.isoformat())
    with time_machine.travel(soon + timedelta(seconds=1)):
        page = api(alice).get("/auth/account/ledger").json()
    assert [(entry["amount"], entry["balance_after"]) for entry in page["results"]] == [(-10, 0), (10, 10)]


def test_what_is_held_stays_in_its_lot_beyond_the_expiry(
    api: Any, alice: User, gateway: Api, organization: Organization
) -> None:
    soon = timezone.now() + timedelta(seconds=1)
    give(gateway, organization, 10, expires_at=soon.isoformat())
    holds.place(organization, amount=Decimal(4), ttl=timedelta(hours=1), now=timezone.now())
    with time_machine.travel(soon + timedelta(seconds=1)):
        for _ in range(2):
            assert remaining(api(alice)) == [(1, 4)]
            assert api(alice).get("/auth/account/summary").json()["credit_balance"]["available"] == 0


def test_the_list_is_filtered(api: Any, alice: User, gateway: Api, organization: Organization) -> None:
    give(gateway, organization, 10)
    give(gateway, organization, 10, category="paid")
    use(organization, 10)
    assert remaining(api(alice), "?category=paid") == [(2, 10)]
    assert remaining(api(alice), "?spent=true") == [(1, 0)]
    assert remaining(api(alice), "?spent=false&limit=1") == [(2, 10)]
    assert api(alice).get(f"{PATH}?category=x").status_code == 400


def test_a_platform_key_names_whose_lots_it_wants(gateway: Api, funded: Organization) -> None:
    assert remaining(gateway, f"?organization={funded.public_id}") == [(1, 100)]
    assert gateway.get(PATH).json()["errors"][0]["pointer"] == "/organization"
    assert gateway.get(f"{PATH}?organization=acct_0000000000000000").status_code == 404


@pytest.mark.parametrize("path", [PATH, "/v1/credits/holds", "/v1/credits/leases"])
def test_a_name_with_a_nul_is_named_as_bad(gateway: Api, api: Any, alice: User, path: str) -> None:
    for client in (gateway, api(alice)):
        answer = client.get(f"{path}?organization=%00")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/organization")


def test_customers_see_their_own_lots_and_a_child_none(
    api: Any, alice: User, charlie: User, funded: Organization
) -> None:
    stranger = charlie.current_organization
    assert stranger
    assert api(alice).get(f"{PATH}?organization={stranger.public_id}").status_code == 404
    assert remaining(api(charlie)) == []
    people.switch(alice, people.add_child(funded, name="Child"))
    assert api(alice).get(PATH).json()["code"] == "billed_by_parent"


def test_looking_opens_no_account(api: Any, charlie: User) -> None:
    assert api(charlie).get(PATH).json()["count"] == 0
    assert not LedgerAccount.objects.filter(pk=charlie.current_organization_id).exists()
