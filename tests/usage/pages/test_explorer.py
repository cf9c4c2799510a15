"""The usage page: groups, windows, comparison, and the CSV of what it shows."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import Organization, User
from apikeys import keys
from tests import factories
from tests.browser import at, signed_in, text
from tests.usage.metering.batches import event, record
from usage.pages.stacks import _step
from usage.reporting import breakdown
from usage.reporting.timeseries import Query

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)  # a month that has its partition


@pytest.fixture(autouse=True)
def _noon(db: None) -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


def usage(browser: Client, organization: Organization, query: str = "") -> Any:
    return browser.get(f"{at(organization)}usage/{query}")


def use(organization: Organization, count: int, **fields: Any) -> None:
    """A minute ago, if not said otherwise."""
    fields = {"occurred_at": (NOW - timedelta(minutes=1)).isoformat(), **fields}
    record(*(event(organization, **fields) for _ in range(count)))


def lines(answer: Any) -> list[tuple[str, int, str | None]]:
    return [(line.label, line.sums.requests, line.share) for line in answer.context["lines"]]


def test_it_shows_the_last_30_days_by_meter_with_shares(browser: Client, funded: Organization) -> None:
    use(funded, 3, meter="sms")
    use(funded, 2, meter="requests")
    use(funded, 1, meter="sms", occurred_at=(NOW - timedelta(days=31)).isoformat())
    answer = usage(browser, funded)
    assert lines(answer) == [("sms", 3, "93.8%"), ("requests", 2, "6.2%")]
    assert answer.context["total"].credits == Decimal("0.032")
    assert len(answer.context["chart"].stacks) == 30
    assert "Days in UTC" in text(answer)


def test_the_seven_largest_groups_have_names_and_the_rest_is_one(browser: Client, funded: Organization) -> None:
    for number in range(10):
        use(funded, 10 - number, endpoint=f"/{number}")
    answer = usage(browser, funded, "?by=endpoint&measure=requests")
    assert lines(answer) == [
        *((f"/{number}", 10 - number, f"{100 * (10 - number) / 55:.1f}%") for number in range(7)),
        ("Other", 6, "10.9%"),
    ]
    parts = answer.context["chart"].stacks[-1].parts
    assert [(part.name, part.amount) for part in parts][-1] == ("Other", "6")


def test_eight_groups_are_all_named(browser: Client, funded: Organization) -> None:
    for number in range(8):
        use(funded, 1, endpoint=f"/{number}")
    use(funded, 1)
    assert [label for label, *_ in lines(usage(browser, funded, "?by=endpoint"))] == [
        "(none)", "/0", "/1", "/2", "/3", "/4", "/5", "Other",
    ]  # fmt: skip


@pytest.mark.parametrize("by", ["meter", "endpoint", "key", "organization"])
@pytest.mark.parametrize("window", ["hour", "day", "month"])
def test_the_windows_add_up_to_the_totals(funded: Organization, by: str, window: str) -> None:
    """Over whole quarters and the edges of the time, by every group."""
    child = Organization.objects.create_child(funded, name="Child")
    key, _ = factories.key(funded)
    for minutes in (1, 20, 60 * 30, 60 * 24 * 9):
        when = (NOW - timedelta(minutes=minutes, seconds=7)).isoformat()
        use(funded, 2, endpoint="/a", occurred_at=when)
        use(child, 1, meter="sms", occurred_at=when)
        record({**event(funded, occurred_at=when, status="failed"), "key_id": key.public_id, "organization": None})
    query = Query(funded, NOW - timedelta(days=8, minutes=4), NOW, window, "Asia/Kathmandu", (by,))
    result = breakdown.of(query, "requests", (NOW - timedelta(days=30), query.start))
    for series in result.series:
        assert sum((sums.requests for sums in series.values), 0) == series.total.requests
        assert sum((sums.credits for sums in series.values), Decimal(0)) == series.total.credits
    assert (result.total.requests, result.total.failed) == (12, 3)
    assert result.before is not None
    assert result.before.requests == 4


def test_keys_and_organizations_have_their_names(browser: Client, funded: Organization) -> None:
    key, _ = factories.key(funded)
    by_key = event(funded, occurred_at=(NOW - timedelta(minutes=1)).isoformat())
    record({**by_key, "key_id": key.public_id, "organization": None})
    use(funded, 2)
    answer = usage(browser, funded, "?by=key&measure=requests")
    assert lines(answer) == [("Without a key", 2, "66.7%"), ("Test key", 1, "33.3%")]
    assert [label for label, *_ in lines(usage(browser, funded, "?by=organization"))] == [funded.name]


def test_one_of_many_keys_is_named_by_its_id_or_name(
    browser: Client, funded: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usage.pages.explorer_form.MOST_KEYS_LISTED", 2)
    made = [keys.create(funded, name=name)[0] for name in ("Checkout", "Twin", "Twin")]
    by_key = event(funded, occurred_at=(NOW - timedelta(minutes=1)).isoformat())
    record({**by_key, "key_id": made[0].public_id, "organization": None})
    for named in (made[0].public_id, "Checkout"):
        answer = usage(browser, funded, f"?key={named}&measure=requests&by=key")
        assert lines(answer) == [("Checkout", 1, "100.0%")]
        assert f'name="key" value="{named}"' in answer.content.decode()
    for named in ("Twin", "key_0000000000000000", "%00"):
        assert list(usage(browser, funded, f"?key={named}").context["form"].errors) == ["key"]


def test_it_is_compared_with_the_period_before(browser: Client, funded: Organization) -> None:
    use(funded, 3)
    use(funded, 2, occurred_at=(NOW - timedelta(days=10)).isoformat())
    answer = usage(browser, funded, "?range=7d&compare=on")
    assert answer.context["total_change"] == "+50.0%"
    assert "+50.0%" in text(answer)


def test_the_csv_is_what_the_page_shows(browser: Client, funded: Organization) -> None:
    for number in range(10):
        use(funded, 10 - number, endpoint=f"/{number}")
    query = "?by=endpoint&range=today&window=hour"
    answer = usage(browser, funded, query + "&format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    page = usage(browser, funded, query)
    assert [(row["name"], int(row["requests"])) for row in rows] == [line[:2] for line in lines(page)]
    assert {row["start"] for row in rows} == {(NOW - timedelta(hours=1)).isoformat()}
    assert answer.headers["Content-Disposition"] == 'attachment; filename="usage.csv"'


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?range=century", "range"),
        ("?by=colour", "by"),
        ("?meter=fax", "meter"),
        ("?measure=units", "meter"),
        ("?from=2026-02-30", "from"),
        ("?from=2026-06-02&to=2026-06-01", "to"),
        ("?from=2025-01-01&window=hour", "window"),
        ("?key=key_0000000000000000", "key"),
    ],
)
def test_what_can_not_be_shown_is_named(browser: Client, funded: Organization, query: str, field: str) -> None:
    answer = usage(browser, funded, query)
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == [field]


def test_any_span_has_at_most_400_bars(browser: Client, funded: Organization) -> None:
    use(funded, 1)
    for query in ("?from=2000-01-01", "?from=2025-01-01", "?range=year", "?from=2026-11-18", "?to=2999-12-31"):
        answer = usage(browser, funded, query)
        assert not answer.context["form"].errors
        assert 1 <= len(answer.context["chart"].stacks) <= 400


def test_a_stranger_sees_nothing_of_it(charlie: User, funded: Organization) -> None:
    assert usage(signed_in(charlie), funded).status_code == 404


@pytest.mark.parametrize(("largest", "step"), [("0", 1), ("3", 1), ("7", 2), ("55", 20), ("0.003", "0.001"), ("5", 1)])
def test_the_lines_have_round_numbers(largest: str, step: Any) -> None:
    assert _step(Decimal(largest)) == Decimal(step)
