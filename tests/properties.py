"""Settings of the property tests: the same examples in every run, and no deadline, because machines may be slow."""

from typing import Any

from hypothesis import HealthCheck, settings


def search(examples: int, **more: Any) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )
