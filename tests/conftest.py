"""The cast: alice owns the organization, bob is a member of it, and charlie must not see anything of it."""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from redis import Redis

from tests.apart import committed_database, fresh_database, second_connection, second_database

__all__ = ["committed_database", "fresh_database", "second_connection", "second_database"]


def pytest_configure() -> None:
    """Each worker gets its own Redis database, and settings that suit tests."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    url = django_settings.REDIS_URL.partition("?")[0]
    django_settings.REDIS_URL = f"{url}?db={worker + 1}" if url.startswith("unix") else django_settings.REDIS_URL
    django_settings.CACHES["default"]["LOCATION"] = django_settings.REDIS_URL
    django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    django_settings.ANONYMOUS_RATE_LIMIT = 1_000_000
    django_settings.OPERATOR_SECOND_FACTOR = False  # the tests of second factors turn it on
    django_settings.WHITENOISE_AUTOREFRESH = True  # else each client looks for all files first


def pytest_report_header() -> list[str]:
    from tests import cluster
    from tests.chromium import CHROMIUM, MISSING

    return [
        f"pages: opened in {CHROMIUM}" if CHROMIUM else f"pages: NOT opened in a browser. {MISSING}.",
        "Citus: all tables are distributed" if cluster.URL else f"Citus: NOT tested. {cluster.MISSING}.",
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that mostly wait come first. Then one worker waits while the others keep the cores busy.

    The long ones that open all pages come next, or the others would wait for them at the end.
    """
    from tests import cluster

    for item in items if cluster.URL else ():
        if reason := cluster.reason_apart(item.path.relative_to(config.rootpath).as_posix(), item.name):
            item.add_marker(pytest.mark.skip(reason=reason))
    early = ("waits", "browser")
    order = {item: next((n for n, name in enumerate(early) if item.get_closest_marker(name)), 9) for item in items}
    items.sort(key=lambda item: order[item])


def pytest_collection_finish() -> None:
    """What is loaded by now stays. A garbage collector that doesn't go through it saves a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session")
def _redis() -> Iterator[Redis]:
    with Redis.from_url(django_settings.REDIS_URL) as client:
        yield client


@pytest.fixture(autouse=True)
def _fresh_redis(_redis: Redis) -> Iterator[None]:
    """Clears what earlier tests left in Redis."""
    yield
    _redis.flushdb()


@pytest.fixture(autouse=True)
def _changes_are_recorded(request: pytest.FixtureRequest) -> Iterator[None]:
    """In the tests of pages and of the admin."""
    from tests import recorded

    if {"pages", "admin"} & set(request.path.parts):
        with recorded.demanded():
            yield
    else:
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database: each worker of each run gets its own. It has a signing key, because making one is slow.

    pytest-django sets up the database only for tests with its mark, and tests that use `committed` don't have it.
    """
    from django.db import connections

    from accounts import signing
    from tests import template
    from tests.config.upgrades import databases

    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))[:8]
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    stack = ExitStack()
    with django_db_blocker.unblock():
        name = stack.enter_context(databases.created(f"test_{run}_{worker}", template.name()))
        stack.enter_context(databases.connected(name))
        for alias in connections:  # there may be one of the tables' owner
            connections[alias].settings_dict["NAME"] = name
        signing.current()
    yield
    with django_db_blocker.unblock():
        stack.close()


@pytest.fixture(scope="module")
def module_transaction(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """What the module's own fixtures make in it is made once. A test is a savepoint in it, and so leaves nothing."""
    from django.db import transaction

    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def committed(request: pytest.FixtureRequest, committed_database: None, django_db_blocker: Any) -> Iterator[None]:
    """Real transactions, in a second database, that other threads and processes see.

    Rows stay afterwards, so a test must make its own people.

    pytest-django's transactional tests end with TRUNCATE, which the ledger refuses. We delete the rate limit counts
    and failed sign-ins, because all tests call from the same address.
    """
    from django.db import connection

    from accounts.models import SignInFailures
    from apikeys.models import RateCount

    assert "db" not in request.fixturenames
    with django_db_blocker.unblock():
        yield
        RateCount.objects.all().delete()
        SignInFailures.objects.all().delete()
        connection.close_if_unusable_or_obsolete()


@pytest.fixture
def alice(db: None) -> Any:
    """Owns the organization."""
    from tests import factories

    return factories.user("alice")


@pytest.fixture
def organization(alice: Any) -> Any:
    """Alice's."""
    return alice.current_organization


@pytest.fixture
def bob(organization: Any) -> Any:
    """A viewer in alice's organization, which is his current organization."""
    from accounts import people
    from tests import factories

    bob = factories.user("bob")
    factories.join(bob, organization, "viewer")
    people.switch(bob, organization)
    return bob


@pytest.fixture
def charlie(db: None) -> Any:
    """Has his own organization and no access to alice's."""
    from tests import factories

    return factories.user("charlie")


class Api:
    """A client of the JSON API that sends one credential."""

    def __init__(self, credential: str = "") -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {"authorization": f"Bearer {credential}"} if credential else {}

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        """get, post, put, patch and delete take (path, body?, **headers with underscores)."""
        if verb.startswith("_"):  # Hypothesis and others look for such attributes to print values
            raise AttributeError(verb)

        def call(path: str, body: Any = None, **headers: str) -> Any:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            sent = {} if body is None else {"data": body, "content_type": "application/json"}
            return getattr(self.client, verb)(path, **sent, headers={**self.headers, **named})

        return call


@pytest.fixture
def anonymous() -> Api:
    return Api()


@pytest.fixture
def api() -> Callable[[Any], Api]:
    """An API client for a person (with an access token for their current organization) or for a secret."""

    def client(who: Any) -> Api:
        from accounts import tokens

        return Api(who if isinstance(who, str) else tokens.issue(who, who.current_organization).access)

    return client


@pytest.fixture
def gateway(db: None) -> Api:
    """The company's gateway, with a platform key."""
    from tests import factories

    return Api(factories.platform_key())


@pytest.fixture
def backend(db: None) -> Api:
    """The company's backend, with a platform key that provisions."""
    from tests import factories

    return Api(factories.backend_key())


@pytest.fixture
def funded(organization: Any) -> Any:
    """Alice's organization with 100 credits."""
    from tests import factories

    factories.credit(organization, Decimal(100))
    return organization
