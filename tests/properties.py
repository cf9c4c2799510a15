"""Settings of the property tests: the same examples in every run, and no deadline, because machines may be slow.

With EXHAUSTIVE=1 they, the fuzzers and the simulations try several times as much.
"""

import os
from typing import Any

from hypothesis import HealthCheck, settings

EXHAUSTIVE = "EXHAUSTIVE" in os.environ
USUAL_SHARE = 3  # of the examples, one in so many is tried otherwise


def search(examples: int, **more: Any) -> settings:
    return settings(
        max_examples=examples if EXHAUSTIVE else examples // USUAL_SHARE,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )
