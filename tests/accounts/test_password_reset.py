"""Asking for a new password: the same for known and unknown addresses, and a link that nobody can bend."""

import re
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import tasks
from accounts.models import Email, User

PATH = "/accounts/password/reset/"


def ask(email: str, **extra: Any) -> Any:
    return Client().post(PATH, {"email": email}, **extra)


def statements(email: str) -> list[str]:
    """What the database is asked for, without the values."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        ask(email)
    return [re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in queries.captured_queries]


def test_a_known_address_takes_as_long_as_an_unknown_one(alice: User) -> None:
    """The page does the same work for both: the same statements, none of which looks for a person."""
    known = statements(alice.email)
    assert known == statements("nobody@example.com")
    assert not [statement for statement in known if "accounts_user" in statement]


def test_the_answers_are_the_same(alice: User) -> None:
    known, unknown = ask(alice.email), ask("nobody@example.com")
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert Email.objects.count() == 2


def test_only_an_active_account_gets_an_email(alice: User, charlie: User) -> None:
    User.objects.filter(pk=charlie.pk).update(is_active=False)
    for email in (alice.email, charlie.email, "nobody@example.com"):
        ask(email)
    assert tasks.send_emails() == 1
    assert [email.to for email in mail.outbox] == [[alice.email]]
    assert not Email.objects.exists()


@pytest.mark.parametrize(
    "extra",
    [
        {"headers": {"host": "localhost"}},
        {"headers": {"x-forwarded-host": "evil.example"}},
        {"SCRIPT_NAME": "/evil"},
    ],
)
def test_the_link_is_built_from_the_base_url(alice: User, settings: Any, extra: Any) -> None:
    settings.BASE_URL = "https://tollgate.example.com"
    ask(alice.email, **extra)
    tasks.send_emails()
    assert re.search(r"https://tollgate\.example\.com/accounts/password/reset/key/\S+", str(mail.outbox[0].body))
    assert "evil" not in mail.outbox[0].body


def test_an_address_is_found_however_it_is_written(alice: User) -> None:
    ask(alice.email.upper())
    assert tasks.send_emails() == 1
