"""Usage events that name a hold: it is captured by them, in the entry of their batch; a lease is drawn down."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Organization
from billing.ledger import holds, leases
from billing.models import Hold, LedgerAccount
from tests import factories
from tests.usage.metering.batches import balance, event, outcomes, record, usage_entries
from usage.models import UsageEvent
from usage.storage import reconciliation

MINUTE = timedelta(minutes=1)


def hold(organization: Organization, amount: int = 10, **options: Any) -> Hold:
    return holds.place(organization, amount=Decimal(amount), ttl=MINUTE, **options, now=timezone.now())


def lease(organization: Organization, amount: int = 10) -> Hold:
    return leases.take(organization, amount=Decimal(amount), ttl=MINUTE, now=timezone.now())


def reserved(organization: Organization) -> Any:
    return LedgerAccount.objects.of(organization).get().reserved


def standing(organization: Organization) -> tuple[Any, Any]:
    """The reserved credits and the balance."""
    return reserved(organization), balance(organization)


def again(held: Hold) -> tuple[str, Any]:
    """Its current status, and the captured amount."""
    row = Hold.objects.get(pk=held.pk)
    return row.status, row.captured


def overdue(held: Hold) -> Hold:
    """The same hold, placed so long ago that it has expired."""
    past = timezone.now() - MINUTE
    Hold.objects.filter(pk=held.pk).update(expires_at=past)
    LedgerAccount.objects.filter(pk=held.account_id).update(due_at=past)
    return held


def test_an_event_captures_the_hold_that_it_names(funded: Organization) -> None:
    held = hold(funded)
    [result] = record(event(funded, meter="sms", quantity=3, hold=held.public_id))
    assert (result.result, result.credits) == ("accepted", Decimal("0.03"))
    assert again(held) == ("captured", Decimal("0.03"))
    assert standing(funded) == (0, Decimal("99.97"))


def test_an_event_keeps_the_hold_that_it_named(funded: Organization) -> None:
    held = hold(funded)
    record(event(funded, id="a", hold=held.public_id), event(funded, id="b"))
    assert dict(UsageEvent.objects.of(funded).values_list("id", "hold_id")) == {"a": held.pk, "b": None}


def test_one_entry_pays_for_all_the_events_of_a_batch_held_or_not(funded: Organization) -> None:
    first, second = hold(funded), hold(funded)
    record(event(funded), event(funded, hold=first.public_id), event(funded, hold=second.public_id))
    assert usage_entries(funded) == [(2, Decimal("-0.003"))]
    assert reserved(funded) == 0


def test_several_events_of_a_batch_capture_one_hold_together(funded: Organization) -> None:
    held = hold(funded)
    record(*(event(funded, hold=held.public_id) for _ in range(3)))
    assert again(held) == ("captured", Decimal("0.003"))
    assert reserved(funded) == 0


def test_a_capture_may_take_more_than_was_held(funded: Organization) -> None:
    held = hold(funded, 1)
    assert outcomes(event(funded, quantity=200_000, hold=held.public_id)) == ["accepted"]
    assert standing(funded) == (0, -100)


def test_what_costs_nothing_frees_the_hold(funded: Organization) -> None:
    held = hold(funded)
    record(event(funded, quantity=0, hold=held.public_id))
    assert again(held) == ("captured", 0)
    assert reserved(funded) == 0
    assert usage_entries(funded) == []


def test_a_lease_is_drawn_down_and_stays_open(funded: Organization) -> None:
    held = lease(funded, 10)
    record(event(funded, meter="sms", quantity=100, hold=held.public_id))
    record(event(funded, meter="sms", quantity=200, hold=held.public_id))
    assert again(held) == ("open", 3)
    assert standing(funded) == (7, 97)


def test_a_lease_that_is_overdrawn_reserves_nothing(funded: Organization) -> None:
    held = lease(funded, 1)
    record(event(funded, meter="sms", quantity=200, hold=held.public_id))
    assert again(held) == ("open", 2)
    assert standing(funded) == (0, 98)


@pytest.mark.parametrize("end", [holds.capture, holds.release])
def test_an_event_that_names_a_resolved_hold_is_plain_usage(funded: Organization, end: Any) -> None:
    held = hold(funded, 10)
    end(held, now=timezone.now())
    before, resolved = balance(funded), again(held)
    assert outcomes(event(funded, hold=held.public_id)) == ["accepted"]
    assert standing(funded) == (0, before - Decimal("0.001"))
    assert again(held) == resolved


def test_an_event_that_names_an_expired_hold_is_plain_usage(funded: Organization) -> None:
    held = overdue(hold(funded))
    other = hold(funded, 5)
    assert outcomes(event(funded, hold=held.public_id)) == ["accepted"]
    assert standing(funded) == (other.amount, Decimal("99.999"))
    assert again(held) == ("expired", 0)
    assert reconciliation.run() == []


def test_an_event_that_names_an_expired_lease_is_plain_usage(funded: Organization) -> None:
    leased = lease(funded)
    record(event(funded, meter="sms", quantity=100, hold=leased.public_id))
    overdue(leased)
    assert outcomes(event(funded, meter="sms", quantity=200, hold=leased.public_id)) == ["accepted"]
    assert standing(funded) == (0, 97)
    assert again(leased) == ("expired", 1)


def test_a_test_event_never_captures_a_live_hold(funded: Organization) -> None:
    """It would free credits that are reserved, at no cost."""
    key, _ = factories.key(funded, environment="test")
    held, leased = hold(funded), lease(funded)
    for live in (held, leased):
        [result] = record(event(key, hold=live.public_id))
        assert (result.result, result.code) == ("rejected", "hold_of_other_environment")
        assert again(live) == ("open", 0)
    assert standing(funded) == (20, 100)


def test_to_a_test_event_anothers_hold_is_unknown(funded: Organization, charlie: Any) -> None:
    key, _ = factories.key(funded, environment="test")
    factories.credit(charlie.current_organization, 10)
    [result] = record(event(key, hold=hold(charlie.current_organization).public_id))
    assert (result.result, result.code) == ("rejected", "unknown_hold")


def test_a_test_event_is_rejected_alone(funded: Organization) -> None:
    key, _ = factories.key(funded, environment="test")
    held = hold(funded)
    batch = [event(key, hold=held.public_id), event(key), event(funded, hold=held.public_id)]
    assert outcomes(*batch) == ["rejected", "accepted", "accepted"]
    assert again(held)[0] == "captured"


def test_a_duplicate_frees_nothing(funded: Organization) -> None:
    record(event(funded, id="x"))
    held = hold(funded)
    assert outcomes(event(funded, id="x", hold=held.public_id)) == ["duplicate"]
    assert again(held) == ("open", 0)
    assert reserved(funded) == 10


def test_of_two_in_one_batch_the_second_frees_nothing(funded: Organization) -> None:
    first, second = hold(funded), hold(funded)
    record(event(funded, id="x", hold=first.public_id), event(funded, id="x", hold=second.public_id))
    assert (again(first)[0], again(second)[0], reserved(funded)) == ("captured", "open", 10)


def test_a_rejected_event_frees_nothing(funded: Organization) -> None:
    held = hold(funded)
    assert outcomes(event(funded, quantity=-1, hold=held.public_id)) == ["rejected"]
    assert reserved(funded) == 10


@pytest.mark.parametrize(
    "value",
    ["hold_", "hold_1", "hold_" + "0" * 32, "hold_" + "A" * 32, "0" * 32, "grant_" + "0" * 32, "", 7, True, [], {}],
)
def test_a_hold_that_is_none_is_rejected(funded: Organization, value: Any) -> None:
    [result] = record(event(funded, hold=value))
    assert (result.result, result.code) == ("rejected", "unknown_hold")
    assert balance(funded) == 100


def test_anothers_hold_is_as_unknown_as_none(funded: Organization, charlie: Any) -> None:
    factories.credit(charlie.current_organization, 10)
    foreign, [none] = hold(charlie.current_organization), record(event(funded, hold="hold_" + "0" * 32))
    [result] = record(event(funded, hold=foreign.public_id))
    assert (result.result, result.code, result.detail) == ("rejected", "unknown_hold", none.detail)
    assert again(foreign)[0] == "open"
    assert balance(funded) == 100


@pytest.mark.parametrize("holder", ["parent", "child"])
def test_a_hold_of_another_organization_of_the_tree_is_unknown(funded: Organization, holder: str) -> None:
    child = Organization.objects.create_child(funded, name="Child")
    owner, user = (funded, child) if holder == "parent" else (child, funded)
    held = hold(owner)
    assert [result.code for result in record(event(user, hold=held.public_id))] == ["unknown_hold"]
    assert again(held)[0] == "open"


def test_a_childs_hold_is_captured_by_the_childs_event(funded: Organization) -> None:
    child = Organization.objects.create_child(funded, name="Child")
    held = hold(child)
    assert outcomes(event(child, hold=held.public_id)) == ["accepted"]
    assert standing(funded) == (0, Decimal("99.999"))
