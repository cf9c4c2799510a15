"""The connections to PostgreSQL: whose they are, and how long a statement may take."""

import sys
import time
from typing import Any

import psycopg
import pytest
from django.db import connection as own_connection

from config import databases
from tests.config.web.conftest import database_url

COMMANDS = {
    "/x/config/web/__main__.py --port 8000": "web",
    "/x/.venv/bin/gunicorn config.wsgi": "web",
    "/x/site-packages/celery/__main__.py --quiet --app config worker --loglevel warning": "worker",
    "/x/.venv/bin/celery --app config beat": "beat",
    "/x/.venv/bin/celery --app config inspect ping": "command",
    "manage.py check_ledger": "command",
    "manage.py runserver": "command",
    "/x/site-packages/pytest/__main__.py worker beat": "command",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_process_is_known_by_its_command_line(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(sys, "argv", command.split())
    assert databases.process() == COMMANDS[command]


def connect(**options: Any) -> psycopg.Connection:
    settings = databases.connection(database_url(own_connection.settings_dict["NAME"]), prepare=True, **options)
    parts = {"dbname": settings["NAME"], "user": settings["USER"], "host": settings["HOST"], "port": settings["PORT"]}
    return psycopg.connect(**parts, **settings["OPTIONS"])


def test_a_statement_has_a_time_limit_and_the_connection_a_name(db: None) -> None:
    with connect(statement_seconds=1) as connection:
        assert connection.execute("SHOW application_name").fetchone() == ("tollgate command",)
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(5)")


def test_a_transaction_in_which_nothing_happens_is_ended(db: None) -> None:
    """A process that hangs has rows locked, which others wait for."""
    with connect(statement_seconds=1) as connection:
        connection.execute("SELECT 1")
        time.sleep(1.5)
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            connection.execute("SELECT 1")


def test_a_command_has_none(db: None) -> None:
    with connect(statement_seconds=0) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
    with own_connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("0",)


def test_a_connection_notices_soon_that_the_other_side_is_gone(db: None) -> None:
    with connect(statement_seconds=0) as connection:
        assert (
            databases.TCP_LIMITS.items()
            <= {
                name: int(limit)
                for name, limit in connection.info.get_parameters().items()
                if name in databases.TCP_LIMITS
            }.items()
        )


def test_the_url_may_say_otherwise() -> None:
    url = "postgres://u:p@h/db?tcp_user_timeout=0&keepalives_idle=60"
    options = databases.connection(url, prepare=True, statement_seconds=0)["OPTIONS"]
    assert {name: options[name] for name in databases.TCP_LIMITS} == {
        "tcp_user_timeout": 0,
        "keepalives_idle": 60,
        "keepalives_interval": 5,
        "keepalives_count": 2,
    }
