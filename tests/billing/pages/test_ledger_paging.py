"""Pages of the whole ledger: any of them, however deep, in the time of the first."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Organization, User
from billing.ledger import posting
from billing.models import LedgerEntry
from tests import factories
from tests.properties import search

LEDGER = "/auth/account/ledger"


def post(organization: Organization, how_many: int) -> None:
    """Entries with the ids 1 to `how_many`, where there were none."""
    for _ in range(how_many):
        posting.post(organization.pk, kind=LedgerEntry.Kind.GRANT, amount=Decimal(1), now=timezone.now())


def page(api: Any, who: User, **params: Any) -> Any:
    client = api(who)
    answer = client.client.get(LEDGER, params, headers=client.headers)
    assert answer.status_code == 200, answer.content
    return answer.json()


def ids(answer: Any) -> list[int]:
    return [entry["id"] for entry in answer["results"]]


@search(30)
@given(how_many=st.integers(0, 12), limit=st.integers(1, 15), offset=st.integers(0, 15))
def test_any_page_is_a_slice_of_the_whole(db: None, api: Any, how_many: int, limit: int, offset: int) -> None:
    person = factories.user()
    assert person.current_organization is not None
    post(person.current_organization, how_many)
    answer = page(api, person, limit=limit, offset=offset)
    assert ids(answer) == list(range(how_many, 0, -1))[offset : offset + limit]
    assert answer["count"] == how_many


def test_the_links_lead_through_every_entry_once(api: Any, alice: User, organization: Organization) -> None:
    post(organization, 7)
    client, seen, url = api(alice), [], f"{LEDGER}?limit=3"
    while url:
        answer = client.get(url).json()
        seen += ids(answer)
        url = answer["next"]
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_the_link_back_leads_back(api: Any, alice: User, organization: Organization) -> None:
    post(organization, 7)
    second = page(api, alice, limit=3, offset=3)
    assert ids(api(alice).get(second["previous"]).json()) == [7, 6, 5]


@pytest.mark.parametrize("offset", [0, 5, 10**12])
def test_no_page_of_the_whole_is_counted_or_skipped_to(
    api: Any, alice: User, organization: Organization, offset: int
) -> None:
    post(organization, 7)
    with CaptureQueriesContext(connection) as queries:
        page(api, alice, limit=2, offset=offset)
    statements = [query["sql"].upper() for query in queries.captured_queries if "billing_ledgerentry" in query["sql"]]
    assert statements
    assert not any("OFFSET" in sql or "COUNT(" in sql for sql in statements)


@pytest.mark.parametrize("params", [{"type": "credit"}, {"from": "2000-01-01"}, {"to": "9000-01-01"}])
def test_a_filtered_ledger_is_counted_and_paged(
    api: Any, alice: User, organization: Organization, params: dict[str, str]
) -> None:
    post(organization, 3)
    answer = page(api, alice, limit=1, offset=1, **params)
    assert (answer["count"], ids(answer)) == (3, [2])


def test_a_filter_narrows_the_count(api: Any, alice: User, organization: Organization) -> None:
    post(organization, 3)
    posting.post(organization.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(-1), now=timezone.now())
    answer = page(api, alice, type="debit")
    assert (answer["count"], ids(answer)) == (1, [4])


@pytest.mark.parametrize("name", ["type", "from", "to"])
def test_a_filter_without_a_value_is_refused(api: Any, alice: User, organization: Organization, name: str) -> None:
    answer = api(alice).get(f"{LEDGER}?{name}=&offset=1")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{name}")


def test_a_bad_filter_is_refused_on_any_page(api: Any, alice: User, organization: Organization) -> None:
    answer = api(alice).get(f"{LEDGER}?type=gift&offset=1")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/type")


@pytest.mark.parametrize("offset", [0, 3])
def test_an_account_without_a_movement_has_an_empty_ledger(api: Any, alice: User, offset: int) -> None:
    answer = page(api, alice, offset=offset)
    assert (answer["count"], answer["next"], answer["results"]) == (0, None, [])


def test_everyone_pages_through_their_own(
    api: Any, alice: User, bob: User, charlie: User, organization: Organization
) -> None:
    post(organization, 2)
    assert ids(page(api, alice)) == ids(page(api, bob)) == [2, 1]
    assert page(api, charlie)["count"] == 0


def test_a_child_is_billed_by_its_parent_on_every_page(api: Any, alice: User, organization: Organization) -> None:
    child = Organization.objects.create_child(organization, name="Child")
    post(organization, 2)
    answer = api(factories.key(child, created_by=alice, permissions=["credits:read"])[1]).get(f"{LEDGER}?offset=1")
    assert (answer.status_code, answer.json()["code"]) == (403, "billed_by_parent")
