"""One database with the world in it, one server, one browser for all tests here."""

import os
import signal
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from django.test import override_settings

from tests import template
from tests.chromium import CHROMIUM, MISSING, inspection, world
from tests.chromium.serving import served, started
from tests.chromium.world import World
from tests.config.upgrades import databases

LIMIT_SECONDS = 500
WHOLE_LIMIT_SECONDS = 7200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "chromium":
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def _database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), databases.scratch("chromium", template.name()):
        yield


@pytest.fixture(scope="package")
def site(_database: None) -> World:
    if not CHROMIUM:
        pytest.skip(MISSING)
    return world.make()


@pytest.fixture(scope="package")
def address(site: World) -> Iterator[str]:
    recently = {"ACCOUNT_REAUTHENTICATION_TIMEOUT": WHOLE_LIMIT_SECONDS}
    with served() as address, override_settings(BASE_URL=address, **recently):
        yield address


@pytest.fixture(scope="package")
def browser(address: str) -> Iterator[Any]:
    with patch.dict(os.environ, {"DJANGO_ALLOW_ASYNC_UNSAFE": "1"}), started() as browser:
        yield browser


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    context = browser.new_context(base_url=address)
    context.set_default_timeout(15_000)
    page = context.new_page()
    inspection.watch(page)
    yield page
    context.close()


@pytest.fixture(autouse=True)
def _time_limit() -> Iterator[None]:
    """A browser that hangs must not hang the tests."""

    def stop(*_: object) -> None:
        raise TimeoutError("The browser took too long.")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(WHOLE_LIMIT_SECONDS if os.environ.get("LOOKS") else LIMIT_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
