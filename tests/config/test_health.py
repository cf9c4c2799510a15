"""/healthz and /readyz: whether this process lives, and whether it can serve."""

from functools import partial
from typing import Any

from django.db.migrations.recorder import MigrationRecorder

from tests.concurrency import race
from tests.conftest import Api
from tests.outages import database_down, redis_down


def test_healthz_answers_without_asking_anything(anonymous: Any) -> None:
    """The test has no `db`: a query would fail it."""
    response = anonymous.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_healthz_answers_while_all_is_down(committed: None) -> None:
    with database_down(), redis_down():
        (response,) = race([partial(Api().get, "/healthz")])
    assert response.status_code == 200


def test_readyz_is_ok_when_every_part_is(anonymous: Any, db: None) -> None:
    response = anonymous.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok", "redis": "ok", "migrations": "ok"}


def test_readyz_names_the_database_that_is_down(committed: None) -> None:
    with database_down():
        (response,) = race([partial(Api().get, "/readyz")])
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert response.json() == {
        "status": "unavailable",
        "database": "unavailable",
        "redis": "ok",
        "migrations": "unavailable",
    }


def test_readyz_names_redis_that_is_down(anonymous: Any, db: None) -> None:
    with redis_down():
        response = anonymous.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "database": "ok", "redis": "unavailable", "migrations": "ok"}


def test_readyz_says_that_a_migration_is_pending(anonymous: Any, db: None) -> None:
    newest = MigrationRecorder.Migration.objects.filter(app="usage").latest("id")
    newest.delete()
    response = anonymous.get("/readyz")
    assert (response.status_code, response.json()["migrations"]) == (503, "pending")


def test_neither_needs_a_credential_or_is_cached_in_a_session(anonymous: Any, db: None) -> None:
    for path in ("/healthz", "/readyz"):
        assert anonymous.get(path).cookies == {}
