"""Windows of rate limits, counted by hand."""

from collections import deque
from collections.abc import Iterable


def most_in_a_window(moments: Iterable[float], window: float) -> int:
    """The most of these calls that lie in any [t, t + window)."""
    inside: deque[float] = deque()
    most = 0
    for moment in sorted(moments):
        inside.append(moment)
        while inside[0] <= moment - window:
            inside.popleft()
        most = max(most, len(inside))
    return most
