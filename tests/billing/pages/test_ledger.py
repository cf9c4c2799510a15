"""Reading the ledger in the browser: newest first, in pages, filtered by the query string."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import Organization, User
from billing.ledger import posting
from billing.models import LedgerEntry
from tests import factories
from tests.browser import at, signed_in, text

Kind = LedgerEntry.Kind


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


def entries(browser: Client, organization: Organization, **query: str) -> list[int]:
    """The entries on the page, by their numbers."""
    shown = browser.get(at(organization, "credits/ledger/"), query).context["entries"]
    return [entry.seq for entry in shown]


def post(organization: Organization, kind: Kind, amount: str, when: datetime | None = None) -> None:
    with time_machine.travel(when or datetime.now(UTC), tick=False):
        posting.post(organization.pk, kind=kind, amount=Decimal(amount), now=timezone.now())


def test_the_newest_entry_stands_first_with_the_balance_that_it_left(
    browser: Client, organization: Organization
) -> None:
    post(organization, Kind.GRANT, "1250.5")
    post(organization, Kind.USAGE, "-0.000000001")
    page = text(browser.get(at(organization, "credits/ledger/")))
    assert page.index("−0.000000001") < page.index("+1,250.5")
    assert "1,250.499999999" in page


def test_pages_hold_25_entries_and_say_how_many_there_are(browser: Client, organization: Organization) -> None:
    for _ in range(26):
        post(organization, Kind.GRANT, "1")
    first = browser.get(at(organization, "credits/ledger/"))
    assert "1–25 of 26" in text(first)
    assert 'href="?page=2"' in text(first)
    assert entries(browser, organization, page="2") == [1]


def test_turning_the_page_keeps_the_filter(browser: Client, organization: Organization) -> None:
    for _ in range(26):
        post(organization, Kind.GRANT, "1")
    assert 'href="?type=credit&amp;page=2"' in text(browser.get(at(organization, "credits/ledger/?type=credit")))


@pytest.mark.parametrize("page", ["0", "3", "x", "-1"])
def test_a_page_that_is_not_there_is_not_found(browser: Client, organization: Organization, page: str) -> None:
    post(organization, Kind.GRANT, "1")
    assert browser.get(at(organization, "credits/ledger/"), {"page": page}).status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"type": "credit"}, [1]),
        ({"type": "debit"}, [3, 2]),
        ({"type": "adjustment"}, [4]),
        ({"kind": "usage"}, [2]),
        ({"kind": "capture"}, [3]),
        ({"type": "debit", "kind": "usage"}, [2]),
        ({"type": "credit", "kind": "usage"}, []),
    ],
)
def test_it_is_filtered_by_type_and_by_kind(
    browser: Client, organization: Organization, query: dict[str, str], expected: list[int]
) -> None:
    for kind, amount in ((Kind.GRANT, "9"), (Kind.USAGE, "-1"), (Kind.CAPTURE, "-2"), (Kind.ADJUSTMENT, "-3")):
        post(organization, kind, amount)
    assert entries(browser, organization, **query) == expected


def test_days_are_whole_days_of_the_persons_time_zone(alice: User, organization: Organization) -> None:
    alice.timezone = "Asia/Kathmandu"
    alice.save()
    midnight = datetime(2026, 3, 9, 18, 15, tzinfo=UTC)  # there, the 10th begins
    for when in (midnight - timedelta(microseconds=1), midnight, midnight + timedelta(hours=24)):
        post(organization, Kind.GRANT, "1", when)
    browser = signed_in(alice)
    assert entries(browser, organization, **{"from": "2026-03-10", "to": "2026-03-10"}) == [2]
    assert entries(browser, organization, **{"from": "2026-03-10"}) == [3, 2]
    assert entries(browser, organization, to="2026-03-09") == [1]


@pytest.mark.parametrize(
    "query",
    [
        {"from": "soon"},
        {"to": "9999-12-31"},
        {"from": "0001-01-01"},
        {"type": "x"},
        {"kind": "\0"},
        {"from": "2026-03-10", "to": "2026-03-09"},
    ],
)
def test_a_filter_that_makes_no_sense_says_so(
    browser: Client, organization: Organization, query: dict[str, str]
) -> None:
    post(organization, Kind.GRANT, "1")
    assert "errorlist" in text(browser.get(at(organization, "credits/ledger/"), query))


def test_nothing_yet_and_nothing_that_matches_are_told_apart(browser: Client, organization: Organization) -> None:
    assert "No entries yet" in text(browser.get(at(organization, "credits/ledger/")))
    post(organization, Kind.GRANT, "1")
    assert "No entry matches" in text(browser.get(at(organization, "credits/ledger/?kind=refund")))


def test_the_ledger_of_another_organization_stays_there(
    browser: Client, organization: Organization, charlie: User
) -> None:
    theirs = charlie.current_organization
    assert theirs is not None
    factories.credit(theirs, "77.7")
    assert "77.7" not in text(browser.get(at(organization, "credits/ledger/")))
    assert browser.get(at(theirs, "credits/ledger/")).status_code == 404
