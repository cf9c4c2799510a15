"""Numbers as text."""

import re

# As JSON writes it. Python's Decimal would take `1_000`, digits of other scripts, and NaN.
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None
