"""Our pages in Chromium, served by this process."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.chromium import CHROMIUM, MISSING
from tests.chromium.serving import served, started


@pytest.fixture
def server(committed: None) -> Iterator[str]:
    with served() as address:
        yield address


@pytest.fixture
def page(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip(MISSING)
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with started() as browser:
        context = browser.new_context(base_url=server)
        context.set_default_timeout(15_000)
        yield context.new_page()
