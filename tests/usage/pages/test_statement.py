"""The ledger as a statement: on the page, as CSV, as PDF, and by API."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from accounts.lib import exact_json
from accounts.models import Event, Organization, User
from billing.ledger import posting
from billing.models import LedgerEntry
from tests import factories
from tests.browser import at, signed_in, text
from tests.concurrency import race
from usage.reporting import statement

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def ledger(organization: Organization) -> Organization:
    """A purchase, usage on two days of which the second has two entries, and a grant in between."""
    moments = [
        (LedgerEntry.Kind.PURCHASE, "100", timedelta(0)),
        (LedgerEntry.Kind.USAGE, "-1", timedelta(hours=1)),
        (LedgerEntry.Kind.USAGE, "-2.5", timedelta(hours=11, minutes=59)),
        (LedgerEntry.Kind.GRANT, "5", timedelta(days=1)),
        (LedgerEntry.Kind.USAGE, "-3", timedelta(days=1, hours=1)),
    ]
    for kind, amount, later in moments:
        posting.post(organization.pk, kind=kind, amount=Decimal(amount), now=NOON + later)
    return organization


def made(organization: Organization, zone: str = "UTC") -> list[tuple[Any, ...]]:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    of = statement.of(organization, start, start + timedelta(days=20), zone, timezone.now())
    return [(line.day.day, line.kind, line.count, line.amount, line.balance) for line in of.lines]


def test_the_usage_of_a_day_is_one_line_and_the_balances_add_up(ledger: Organization) -> None:
    assert made(ledger) == [
        (10, "purchase", 1, 100, 100),
        (10, "usage", 2, Decimal("-3.5"), Decimal("96.5")),
        (11, "grant", 1, 5, Decimal("101.5")),
        (11, "usage", 1, -3, Decimal("98.5")),
    ]


def test_days_are_those_of_the_zone(ledger: Organization) -> None:
    assert [line[:3] for line in made(ledger, "Asia/Tokyo")] == [
        (10, "purchase", 1),
        (10, "usage", 1),
        (11, "grant", 1),
        (11, "usage", 2),
    ]


def test_the_page_leads_from_a_day_to_its_entries(alice: User, ledger: Organization) -> None:
    browser = signed_in(alice)
    page = text(browser.get(at(ledger, "ledger/statement/?from=2026-03-01&to=2026-03-20")))
    assert "kind=usage&amp;from=2026-03-10&amp;to=2026-03-10" in page
    table = browser.get(at(ledger, "ledger/statement/?from=2026-03-01&to=2026-03-20&format=csv")).content.decode()
    assert table.splitlines()[2] == "2026-03-10,usage,2,,,-3.5,96.5"
    assert browser.get(at(ledger, "ledger/statement/?from=2020-01-01")).status_code == 400


def test_programs_get_the_same_also_as_pdf(api: Any, alice: User, ledger: Organization) -> None:
    query = "?from=2026-03-01T00:00:00Z&to=2026-03-20T00:00:00Z"
    body = exact_json.loads(api(alice).get(f"/v1/ledger/statement{query}").content)
    assert (body["opening"], body["closing"], len(body["lines"])) == (0, Decimal("98.5"), 4)
    assert body["lines"][0] == {
        **{"date": "2026-03-10", "kind": "purchase", "entries": 1, "entry": 1, "description": ""},
        **{"amount": 100, "balance_after": 100},
    }
    pdf = api(alice).get(f"/v1/ledger/statement/pdf{query}")
    assert (pdf.status_code, pdf.content[:5]) == (200, b"%PDF-")
    assert api(alice).get("/v1/ledger/statement?from=2000-01-01").json()["errors"][0]["pointer"] == "/from"


def test_the_entries_of_the_filter_are_a_file(alice: User, ledger: Organization) -> None:
    factories.credit(ledger, 1)
    table = signed_in(alice).get(at(ledger, "credits/ledger/?kind=usage&format=csv")).content.decode()
    assert [line.split(",")[0] for line in table.splitlines()] == ["id", "5", "3", "2"]
    assert Event.objects.filter(organization=ledger, type="ledger.exported").count() == 1


@pytest.fixture
def _meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Usage is posted between the entries that have a line each and the sums of the days."""
    read = statement.balance_before

    def posted_before(organization: Organization, moment: datetime) -> Decimal:
        post = partial(posting.post, organization.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(-7), now=NOON)
        grant = partial(posting.post, organization.pk, kind=LedgerEntry.Kind.GRANT, amount=Decimal(7), now=NOON)
        race([grant])
        race([post])
        return read(organization, moment)

    monkeypatch.setattr(statement, "balance_before", posted_before)


@pytest.mark.usefixtures("committed", "_meanwhile")
def test_what_is_posted_meanwhile_is_in_all_of_it_or_in_nothing() -> None:
    owner = factories.organization(owner=factories.user("owner"))
    posting.post(owner.pk, kind=LedgerEntry.Kind.GRANT, amount=Decimal(10), now=NOON)
    assert [line[1:] for line in made(owner)] == [("grant", 1, 10, 10)]
