"""How the property tests search: the same examples in every run, however long a slow machine takes over one."""

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
