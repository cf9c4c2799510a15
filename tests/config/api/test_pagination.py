"""Lists: `limit` and `offset`, in one envelope."""

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Organization, User
from billing.ledger import posting
from billing.models import LedgerEntry
from tests import factories

PATH = "/auth/account/ledger"


@pytest.fixture
def entries(organization: Organization) -> int:
    """A ledger of 120 entries."""
    posting.lock([organization.pk], timezone.now())
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            account_id=organization.pk,
            seq=n,
            kind="grant",
            amount=1,
            balance_after=n,
            created_at=timezone.now(),
        )
        for n in range(1, 121)
    )
    return 120


def ids(response: Any) -> list[int]:
    return [entry["id"] for entry in response.json()["results"]]


def test_a_page_has_fifty_by_default(api: Any, alice: User, entries: int) -> None:
    response = api(alice).get(PATH)
    assert response.json().keys() == {"count", "next", "previous", "results"}
    assert response.json()["count"] == 120
    assert ids(response) == list(range(120, 70, -1))


def test_a_page_has_a_hundred_at_most(api: Any, alice: User, entries: int) -> None:
    assert len(ids(api(alice).get(f"{PATH}?limit=100"))) == 100


@pytest.mark.parametrize("parameter", ["limit", "offset"])
@pytest.mark.parametrize("value", ["-1", "abc", "", "1.5", "1e2", " 1", "+1", "\u0661", "1" * 20, "NaN", "%00"])
def test_a_bad_number_is_named(api: Any, alice: User, parameter: str, value: str) -> None:
    response = api(alice).get(f"{PATH}?{parameter}={value}".replace("+", "%2B"))
    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == [f"/{parameter}"]


@pytest.mark.parametrize("limit", ["0", "101", "1000000"])
def test_a_limit_out_of_range_is_named(api: Any, alice: User, limit: str) -> None:
    response = api(alice).get(f"{PATH}?limit={limit}")
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/limit"


def test_next_and_previous_lead_through_all_of_it(api: Any, alice: User, entries: int) -> None:
    client, seen, page = api(alice), [], f"{PATH}?limit=50"
    while page:
        response = client.get(page)
        seen += ids(response)
        page = response.json()["next"]
    assert seen == list(range(120, 0, -1))
    assert response.json()["previous"].startswith("http://testserver/auth/account/ledger?")
    assert ids(client.get(response.json()["previous"])) == list(range(70, 20, -1))


def test_the_ends_have_no_neighbour(api: Any, alice: User, entries: int) -> None:
    assert api(alice).get(PATH).json()["previous"] is None
    assert api(alice).get(f"{PATH}?offset=100").json()["next"] is None


def test_beyond_the_end_there_is_nothing(api: Any, alice: User, entries: int) -> None:
    response = api(alice).get(f"{PATH}?offset=120")
    assert response.json() == {**response.json(), "count": 120, "next": None, "results": []}


def test_a_filter_stays_in_the_links(api: Any, alice: User, entries: int) -> None:
    assert "type=credit" in api(alice).get(f"{PATH}?type=credit&limit=10").json()["next"]


@pytest.mark.parametrize(
    "path", ["/v1/organizations", "/v1/account/api-keys", "/v1/payment-methods", "/v1/payments", PATH]
)
def test_every_list_has_the_same_envelope(api: Any, alice: User, path: str) -> None:
    assert api(alice).get(path).json().keys() == {"count", "next", "previous", "results"}
    assert api(alice).get(f"{path}?limit=101").status_code == 400


def test_another_order_of_entries_does_not_show_others(api: Any, charlie: User, entries: int) -> None:
    assert api(charlie).get(f"{PATH}?limit=100").json()["count"] == 0


def test_a_page_after_a_new_entry_begins_with_it(api: Any, alice: User, organization: Organization) -> None:
    first = factories.credit(organization, 5)
    second = factories.credit(organization, 6)
    assert ids(api(alice).get(f"{PATH}?limit=1")) == [second.seq]
    assert ids(api(alice).get(f"{PATH}?limit=1&offset=1")) == [first.seq]
