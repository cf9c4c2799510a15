"""Tests the comparison itself: it must notice differences."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from tests.faults.audit import Effect, Effects, Verdict, compare
from tests.faults.cast import OPENING
from tests.faults.invariants import graduated
from tests.faults.operations import Claim

ACCOUNT = UUID(int=1)
KEPT = Claim("event", "kept", ACCOUNT, Decimal(-2), must=True)
UNSURE = Claim("purchase", "unsure", ACCOUNT, Decimal(5))
EFFECTS: Effects = {("event", "kept", ACCOUNT): Effect(1, Decimal(-2))}
BALANCES = {ACCOUNT: OPENING - 2}


def compared(claims: list[Claim], effects: Effects, balances: Mapping[UUID, Decimal]) -> Verdict:
    return compare(claims, effects, balances, {ACCOUNT: OPENING})


def test_what_was_acknowledged_is_there_once_and_the_rest_may_be_missing() -> None:
    assert compared([KEPT, UNSURE], EFFECTS, BALANCES).is_clean


def test_what_was_not_acknowledged_may_be_there_and_then_it_counts() -> None:
    effects = {**EFFECTS, ("purchase", "unsure", ACCOUNT): Effect(1, Decimal(5))}
    assert compared([KEPT, UNSURE], effects, {ACCOUNT: OPENING + 3}).is_clean
    assert compared([KEPT, UNSURE], effects, BALANCES).other


def test_what_was_acknowledged_and_is_not_there_is_lost() -> None:
    verdict = compared([KEPT], {}, {ACCOUNT: OPENING})
    assert (len(verdict.lost), verdict.is_clean) == (1, False)


def test_what_nothing_makes_happen_once_may_be_there_as_often_as_it_was_sent() -> None:
    hold = Claim("gate's hold", "0.001", ACCOUNT, must=True, each_time=True, sent=2)
    times = {n: {("gate's hold", "0.001", ACCOUNT): Effect(n, Decimal(0))} for n in (1, 2, 3)}
    assert [compared([hold], effects, {}).is_clean for effects in times.values()] == [True, True, False]
    assert [compared([replace(hold, each_time=False)], effects, {}).is_clean for effects in times.values()][1:] == [
        False
    ] * 2
    assert compared([hold], {}, {}).lost


WRONG: dict[str, Callable[[], tuple[list[Claim], Effects]]] = {
    "an effect twice": lambda: ([KEPT], {("event", "kept", ACCOUNT): Effect(2, Decimal(-4))}),
    "an effect that nobody asked for": lambda: ([], EFFECTS),
    "another amount": lambda: ([replace(KEPT, credits=Decimal(-1))], EFFECTS),
    "a claim twice": lambda: ([KEPT, KEPT], EFFECTS),
    "somebody else's": lambda: ([replace(KEPT, account=UUID(int=2))], EFFECTS),
}


@pytest.mark.parametrize("what", WRONG)
def test_anything_else_is_reported(what: str) -> None:
    claims, effects = WRONG[what]()
    assert not compared(claims, effects, BALANCES).is_clean


def test_what_was_refused_and_is_there_is_reported() -> None:
    refused = Claim("hold", "refused", ACCOUNT, must_not=True)
    assert compared([refused], {}, {}).is_clean
    assert compared([refused], {("hold", "refused", ACCOUNT): Effect(1, Decimal(0))}, {}).other


def test_what_tiers_price_counts_as_it_was_charged() -> None:
    claim = Claim("event", "tiered", ACCOUNT, Decimal(-2), must=True, priced_by_tiers=True)
    effects = {("event", "tiered", ACCOUNT): Effect(1, Decimal("-0.5"))}
    assert compared([claim], effects, {ACCOUNT: OPENING - Decimal("0.5")}).is_clean
    assert compared([claim], effects, {ACCOUNT: OPENING - 2}).other


@pytest.mark.parametrize(("quantity", "credits"), [("0", "0"), ("499", "9.98"), ("500", "10"), ("700", "11")])
def test_the_price_of_tiers_is_graduated(quantity: str, credits: str) -> None:
    assert graduated(Decimal(quantity)) == Decimal(credits)
