"""Simulates an outage of the database or Redis: connections go to an address where nothing listens."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

NOBODY = "redis://127.0.0.1:1/0"


@contextmanager
def database_down() -> Iterator[None]:
    """Every new connection is refused. This thread's connection stays open, so make the calls from other threads."""
    settings: dict[str, Any] = connection.settings_dict
    before = dict(settings)
    settings.update(HOST="127.0.0.1", PORT="1", OPTIONS={"connect_timeout": 2})
    try:
        yield
    finally:
        settings.update(before)


@contextmanager
def redis_down() -> Iterator[None]:
    from django.conf import settings

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "REDIS_URL", NOBODY)
        yield
