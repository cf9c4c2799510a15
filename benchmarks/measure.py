"""Measures Tollgate and its limit in turns, so other work on the machine affects both alike."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Options:
    """The length and size of a measurement. `clients` counts processes or connections; a round measures both sides."""

    events: int = 10_000_000
    seconds: float = 3
    rounds: int = 7
    clients: int = 8


@dataclass(frozen=True)
class Row:
    """One comparison. `ratio` is the median of the rounds' ratios; `spread` is the lowest and the highest of them."""

    what: str
    against: str
    bound: float
    at_most: bool = False  # the bound is the largest ratio allowed, not the smallest
    figure: float | None = None  # None if it could not be measured; `note` says why
    limit: float | None = None
    unit: str = ""
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    note: str = ""

    @property
    def ok(self) -> bool:
        if self.ratio is None:
            return False
        return self.ratio <= self.bound if self.at_most else self.ratio >= self.bound

    @property
    def verdict(self) -> str:
        if self.ratio is None:
            return "not available"
        return "ok" if self.ok else "NOT REACHED"


@dataclass(frozen=True)
class Pair:
    """Takes the medians of both sides and of the rounds' ratios."""

    figure: float
    limit: float
    ratio: float
    spread: tuple[float, float]

    @property
    def columns(self) -> dict[str, object]:
        return {"figure": self.figure, "limit": self.limit, "ratio": self.ratio, "spread": self.spread}


def compare(ours: Callable[[], float], theirs: Callable[[], float], rounds: int, *, times: int = 1) -> Pair:
    """Measures both sides in turns and swaps their order every other round. The first round is a warm-up.

    With `times`, each round takes that many turns and uses their medians.
    """
    figures, limits = [], []
    for number in range(-1, rounds):
        mine, other = [], []
        for _ in range(times):
            order = [(ours, mine), (theirs, other)]
            for side, results in reversed(order) if number % 2 else order:
                results.append(side())
        if number >= 0:
            figures.append(median(mine))
            limits.append(median(other))
    ratios = sorted(figure / limit for figure, limit in zip(figures, limits, strict=True))
    return Pair(median(figures), median(limits), median(ratios), (ratios[0], ratios[-1]))
