"""A second database of the worker, for what `committed` commits: rows that are committed stay.

In the worker's own database they would disturb the later tests that look at all payments or prove all books. If even
tests that commit disturb each other in that way, their folder's `conftest.py` imports the fixtures, and gets one more.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest

NUMBERS = count(1)


@pytest.fixture(scope="session")
def second_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """Its name. It has a signing key."""
    from accounts import signing
    from tests import template
    from tests.config.upgrades import databases

    stack = ExitStack()
    with django_db_blocker.unblock():
        name = stack.enter_context(databases.created(f"committed_{next(NUMBERS)}", template.name()))
        with databases.connected(name):
            signing.current()
    yield name
    with django_db_blocker.unblock():
        stack.close()


@pytest.fixture(scope="session")
def second_connection(second_database: str) -> Any:
    """Stays open between tests, as that to the worker's own database does. Opening one takes milliseconds."""
    from django.db import DEFAULT_DB_ALIAS, connections

    return connections.create_connection(DEFAULT_DB_ALIAS)


@pytest.fixture
def committed_database(second_database: str, second_connection: Any) -> Iterator[None]:
    """Django's connection speaks to the second database. Other threads' new ones do so too."""
    from django.db import DEFAULT_DB_ALIAS, connections

    usual = connections[DEFAULT_DB_ALIAS]
    name = usual.settings_dict["NAME"]
    usual.settings_dict["NAME"] = second_database  # the connections of all threads share these settings
    connections[DEFAULT_DB_ALIAS] = second_connection
    yield
    connections[DEFAULT_DB_ALIAS] = usual
    usual.settings_dict["NAME"] = name


@pytest.fixture
def fresh_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Nobody committed anything in it. Modules that prove all books, or break them, have it as `committed_database`."""
    from tests import template
    from tests.config.upgrades import databases

    with django_db_blocker.unblock(), databases.scratch("fresh", template.name()):
        yield
