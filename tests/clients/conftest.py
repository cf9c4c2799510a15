from collections.abc import Iterator
from pathlib import Path

import pytest
from tollgate_client import Client, Spool

from accounts.models import Organization
from tests import factories
from tests.billing.api import plivo_server


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with plivo_server.running() as address:
        yield address


@pytest.fixture
def platform_secret(committed: None) -> str:
    return factories.platform_key()


@pytest.fixture
def client(address: str, platform_secret: str) -> Client:
    return Client(address, platform_secret)


@pytest.fixture
def customer(committed: None) -> Organization:
    """Has 100 credits."""
    organization = factories.organization()
    factories.credit(organization, 100)
    return organization


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "usage.db")
    yield spool
    spool.close()
