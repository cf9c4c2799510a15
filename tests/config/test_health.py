"""/healthz and /readyz: whether this process lives, and whether it can serve; and what is wrong if not."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg.errors
import pytest
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError, connection
from django.db.migrations.recorder import MigrationRecorder

from config import outages, startup
from tests.concurrency import race
from tests.conftest import Api
from tests.outages import database_down, redis_down

OK = {"database": "ok", "redis": "ok", "migrations": "ok", "static_files": "ok"}


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
    assert (response.status_code, response.json()) == (200, {"status": "ok", **OK})


def test_readyz_names_the_database_that_is_down(committed: None) -> None:
    with database_down():
        (response,) = race([partial(Api().get, "/readyz")])
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert response.json() == {
        "status": "unavailable",
        **OK,
        "database": "unavailable",
        "migrations": "unavailable",
        "reasons": ["Nothing listens at the address in DATABASE_URL."],
    }


def test_readyz_names_redis_that_is_down_and_so_does_the_log(
    anonymous: Any, db: None, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_down():
        response = anonymous.get("/readyz")
    reason = "Redis can't be reached at the address in REDIS_URL."
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", **OK, "redis": "unavailable", "reasons": [reason]}
    assert reason in caplog.text


def test_readyz_says_that_migrations_are_pending(anonymous: Any, db: None) -> None:
    MigrationRecorder.Migration.objects.filter(app="usage").latest("id").delete()
    response = anonymous.get("/readyz")
    assert (response.status_code, response.json()["migrations"]) == (503, "pending")
    assert response.json()["reasons"] == ["1 migrations are not applied. Run: python manage.py migrate"]


def test_readyz_says_that_static_files_are_missing(anonymous: Any, db: None, settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    response = anonymous.get("/readyz")
    assert (response.status_code, response.json()["static_files"]) == (503, "missing")
    assert "python manage.py collectstatic" in response.json()["reasons"][0]
    with pytest.raises(ImproperlyConfigured, match="Collect them"):
        startup.check()


@pytest.mark.parametrize("error", [psycopg.errors.DiskFull, psycopg.errors.InvalidSqlStatementName])
def test_readyz_says_for_a_minute_what_only_requests_meet(
    anonymous: Any,
    db: None,
    error: type[psycopg.Error],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """This machine's disk can't be filled, so the statement of a real view raises what PostgreSQL would raise."""

    def fail(*args: Any, **kwargs: Any) -> Any:
        with connection.wrap_database_errors:
            raise error("could not extend file")

    sentence = outages.reason(_raised(fail)) or ""
    with connection.execute_wrapper(fail):
        assert anonymous.post("/v1/auth/token", {"email": "a@example.com", "password": "x"}).status_code == 503
    assert sentence in caplog.text
    response = anonymous.get("/readyz")
    assert (response.status_code, response.json()["database"]) == (503, "unavailable")
    assert response.json()["reasons"] == [sentence]
    cache.delete(outages.REMEMBERED_KEY)
    assert anonymous.get("/readyz").status_code == 200


def _raised(fail: Callable[[], Any]) -> Exception:
    try:
        fail()
    except Exception as error:
        return error
    raise AssertionError


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_may_ask_under_any_host_and_over_http(anonymous: Any, db: None, settings: Any, path: str) -> None:
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["api.example.com"], True
    response = anonymous.get(path, host="10.1.2.3:8000")
    assert response.status_code == 200
    assert response.cookies == {}
    assert anonymous.get("/v1/plans", host="10.1.2.3:8000").status_code == 400  # the control


def refusal(**parts: str) -> OperationalError:
    """What Django says when a connection with other parts than ours is tried."""
    params = {**connection.get_connection_params(), **parts}
    params.pop("cursor_factory", None)
    with pytest.raises(OperationalError) as error, connection.wrap_database_errors:
        connection.get_new_connection(params)
    return error.value


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"dbname": "nothing_here"}, "The role or the database in DATABASE_URL doesn't exist."),
        ({"user": "nobody_here"}, "The role or the database in DATABASE_URL doesn't exist."),
        ({"host": "/nowhere"}, "Nothing listens at the address in DATABASE_URL."),
        ({"host": "no.such.host.invalid"}, "The host in DATABASE_URL has no address."),
    ],
)
def test_why_a_connection_fails_is_said_in_words(db: None, parts: dict[str, str], sentence: str) -> None:
    assert outages.reason(refusal(**parts)) == sentence


def test_a_wrong_password_is_said_in_words() -> None:
    """As PostgreSQL says it; the embedded one trusts who gets at its socket."""
    message = 'connection failed: FATAL:  password authentication failed for user "tollgate"'
    assert outages.reason(OperationalError(message)) == "The database refuses the password in DATABASE_URL."


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (psycopg.errors.DiskFull, "disk is full"),
        (psycopg.errors.TooManyConnections, "no connections left"),
        (psycopg.errors.QueryCanceled, "time limit"),
        (psycopg.errors.InvalidSqlStatementName, "DATABASE_PREPARED_STATEMENTS=off"),
        (psycopg.errors.DuplicatePreparedStatement, "DATABASE_PREPARED_STATEMENTS=off"),
    ],
)
def test_an_error_of_a_statement_is_said_in_words(error: type[psycopg.Error], word: str) -> None:
    raised = (OperationalError if issubclass(error, psycopg.OperationalError) else ProgrammingError)("…")
    raised.__cause__ = error("…")
    assert word in (outages.reason(raised) or "")


def test_a_fault_of_ours_is_no_outage(db: None) -> None:
    with pytest.raises(ProgrammingError) as error, connection.cursor() as cursor:
        cursor.execute("SELECT nothing_here")
    assert outages.reason(error.value) is None
