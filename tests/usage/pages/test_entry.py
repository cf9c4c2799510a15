"""The page of a ledger entry, the search in the ledger, and the explanation of a balance."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Organization, User
from billing.ledger import posting
from billing.models import LedgerEntry
from tests import factories
from tests.browser import at, signed_in, text
from tests.usage.metering.batches import event, record


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


def ledger(browser: Client, organization: Organization, rest: str) -> Any:
    return browser.get(at(organization, f"ledger/{rest}"))


def test_an_entry_of_usage_shows_its_events(browser: Client, funded: Organization) -> None:
    record(event(funded, meter="sms", quantity=2, endpoint="/send"), event(funded, meter="sms"))
    record(event(funded, meter="sms"))
    page = ledger(browser, funded, "2/")
    assert [(row.quantity, row.credits) for row in page.context["events"]] == [
        (Decimal(2), Decimal("0.02")),
        (Decimal(1), Decimal("0.01")),
    ]
    shown = text(page)
    assert ("99.97" in shown, "−0.03" in shown, "other events" in shown) == (True, True, False)


def test_events_that_occurred_long_before_are_said_to_be_missing(browser: Client, funded: Organization) -> None:
    record(event(funded, meter="sms"), event(funded, meter="sms", occurred_at="2026-01-01T00:00:00Z"))
    assert "0.01 of 0.02 credits are shown" in text(ledger(browser, funded, "2/"))


def test_a_reversal_and_its_entry_lead_to_each_other(browser: Client, gateway: Any, funded: Organization) -> None:
    assert gateway.post("/v1/ledger/1/reverse", {"reason": "x", "organization": funded.public_id}).status_code == 201
    assert f'href="{at(funded)}ledger/2/"' in text(ledger(browser, funded, "1/"))
    assert f'href="{at(funded)}ledger/1/"' in text(ledger(browser, funded, "2/"))


@pytest.mark.parametrize("seq", ["2", "0", "99999999999999999999"])
def test_there_is_no_page_for_what_does_not_exist(browser: Client, funded: Organization, seq: str) -> None:
    assert ledger(browser, funded, f"{seq}/").status_code == 404


def test_a_stranger_sees_no_entry(charlie: User, funded: Organization) -> None:
    assert ledger(signed_in(charlie), funded, "1/").status_code == 404
    assert ledger(signed_in(charlie), funded, "explain/").status_code == 404


def test_the_explanation_adds_up(browser: Client, funded: Organization) -> None:
    record(event(funded, meter="sms", quantity=5))
    factories.credit(funded, 7)
    shown = ledger(browser, funded, "explain/").context
    assert [(step.kind, step.count, step.amount) for step in shown["steps"]] == [
        ("Grant", 2, Decimal(107)),
        ("Usage", 1, Decimal("-0.05")),
    ]
    assert shown["opening"] + sum(step.amount for step in shown["steps"]) == shown["closing"] == Decimal("106.95")
    entries = browser.get(at(funded, f"credits/ledger/?{shown['steps'][0].query}")).context["entries"]
    assert [entry.seq for entry in entries] == [3, 1]
    before, until = (browser.get(at(funded, f"credits/ledger/?{shown[name]}")) for name in ("before", "until"))
    assert ("No entry matches" in text(before), until.context["entries"][0].balance_after) == (True, shown["closing"])


def test_a_time_without_movements_explains_itself(browser: Client, funded: Organization) -> None:
    shown = ledger(browser, funded, "explain/?from=2001-01-01&to=2001-01-31")
    assert (shown.context["opening"], shown.context["closing"], shown.context["steps"]) == (0, 0, [])
    assert "Nothing happened" in text(shown)
    assert ledger(browser, funded, "explain/?from=x").context["form"].errors


@pytest.mark.parametrize(
    ("search", "seqs"), [("2", [2]), ("thanks", [2]), ("THANKS", [2]), ("ref-1", [1]), ("zzz", [])]
)
def test_the_ledger_is_searched_by_number_reference_and_text(
    browser: Client, organization: Organization, search: str, seqs: list[int]
) -> None:
    kind = LedgerEntry.Kind.GRANT
    posting.post(organization.pk, kind=kind, amount=Decimal(1), now=timezone.now(), reference="ref-1")
    posting.post(organization.pk, kind=kind, amount=Decimal(1), now=timezone.now(), description="Thanks for waiting")
    entries = browser.get(at(organization, f"credits/ledger/?q={search}")).context["entries"]
    assert [entry.seq for entry in entries] == seqs
