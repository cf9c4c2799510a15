"""The comparison itself: it has to see what it is there to see."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from tests.faults.audit import Effect, Effects, compare
from tests.faults.cast import OPENING
from tests.faults.operations import Claim

ACCOUNT = UUID(int=1)
KEPT = Claim("event", "kept", ACCOUNT, Decimal(-2), must=True)
UNSURE = Claim("purchase", "unsure", ACCOUNT, Decimal(5))
EFFECTS: Effects = {("event", "kept", ACCOUNT): Effect(1, Decimal(-2))}
BALANCES = {ACCOUNT: OPENING - 2}


def test_what_was_acknowledged_is_there_once_and_the_rest_may_be_missing() -> None:
    assert compare([KEPT, UNSURE], EFFECTS, BALANCES).is_clean


def test_what_was_not_acknowledged_may_be_there_and_then_it_counts() -> None:
    effects = {**EFFECTS, ("purchase", "unsure", ACCOUNT): Effect(1, Decimal(5))}
    assert compare([KEPT, UNSURE], effects, {ACCOUNT: OPENING + 3}).is_clean
    assert compare([KEPT, UNSURE], effects, BALANCES).other


def test_what_was_acknowledged_and_is_not_there_is_lost() -> None:
    verdict = compare([KEPT], {}, {ACCOUNT: OPENING})
    assert (len(verdict.lost), verdict.is_clean) == (1, False)


def test_what_nothing_makes_happen_once_may_be_there_as_often_as_it_was_sent() -> None:
    hold = Claim("gate's hold", "0.001", ACCOUNT, must=True, each_time=True, sent=2)
    times = {n: {("gate's hold", "0.001", ACCOUNT): Effect(n, Decimal(0))} for n in (1, 2, 3)}
    assert [compare([hold], effects, {}).is_clean for effects in times.values()] == [True, True, False]
    assert [compare([replace(hold, each_time=False)], effects, {}).is_clean for effects in times.values()][1:] == [
        False
    ] * 2
    assert compare([hold], {}, {}).lost


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
    assert not compare(claims, effects, BALANCES).is_clean
