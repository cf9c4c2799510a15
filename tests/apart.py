"""A second database of the worker, for what `committed` commits. A `conftest.py` imports these fixtures.

Rows that are committed stay. In the worker's own database they would disturb its later tests: those that look at all
payments, disputes or customers, and those that prove all books.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests import template
from tests.config.upgrades import databases


@pytest.fixture(scope="session")
def second_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """Its name."""
    stack = ExitStack()
    with django_db_blocker.unblock():
        name = stack.enter_context(databases.created("apart", template.name()))
    yield name
    with django_db_blocker.unblock():
        stack.close()


@pytest.fixture
def committed_database(second_database: str) -> Iterator[None]:
    with databases.connected(second_database):
        yield
