"""A figure and its limit's, measured in turns, so that whatever else the machine does hits both alike."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Options:
    """How long and how large. `clients` are processes or connections; `rounds` are of both sides."""

    events: int = 10_000_000
    seconds: float = 3
    rounds: int = 7
    clients: int = 8


@dataclass(frozen=True)
class Row:
    """One comparison. The ratio is the median of the rounds', `spread` the lowest and the highest of them."""

    what: str
    against: str
    bound: float
    at_most: bool = False  # the bound is the largest ratio that is allowed, not the smallest
    figure: float | None = None  # None: it could not be measured, and `note` says why
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
    """Medians of both sides, and of the rounds' ratios."""

    figure: float
    limit: float
    ratio: float
    spread: tuple[float, float]

    @property
    def columns(self) -> dict[str, object]:
        return {"figure": self.figure, "limit": self.limit, "ratio": self.ratio, "spread": self.spread}


def compare(ours: Callable[[], float], theirs: Callable[[], float], rounds: int, *, times: int = 1) -> Pair:
    """Both sides in turns, and in every other round the other way about. The first round is a warm-up.

    With `times`, a round is so many turns, and its figures are their medians.
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
