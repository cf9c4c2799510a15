"""`manage.py doctor`: each thing broken once, and named."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from celery import current_app
from django.core.cache import cache
from django.core.management import call_command
from django.utils import timezone

from accounts.models import Email
from apikeys.models import ApiKeySecret
from config import brokers
from tests import factories
from usage.models import LedgerProof
from usage.storage import diagnosis, gauges
from usage.storage.diagnosis import Level

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _sound() -> None:
    """Everything is fine except for what a test breaks."""
    gauges.beat(timezone.now())
    prove(differences=0)


def prove(*, differences: int, days: int = 0) -> None:
    moment = timezone.now() - timedelta(days=days)
    LedgerProof.objects.create(started_at=moment, finished_at=moment, accounts=1, differences=differences)


def found(subject: str) -> list[tuple[Level, str]]:
    return [
        (finding.level, finding.text)
        for finding in diagnosis.examine(timezone.now())
        if finding.subject == subject and finding.level is not Level.OK
    ]


def test_a_sound_installation_has_nothing_but_ok() -> None:
    findings = list(diagnosis.examine(timezone.now()))
    assert {finding.subject for finding in findings} == set(diagnosis.CHECKS)
    assert [finding for finding in findings if finding.level is Level.FAIL] == []


def silent() -> None:
    gauges.beat(timezone.now() - timedelta(minutes=10))


def never() -> None:
    cache.delete(gauges.HEARTBEAT)


def drift() -> None:
    prove(differences=3)


def old() -> None:
    LedgerProof.objects.all().delete()
    prove(differences=0, days=5)


def unproved() -> None:
    LedgerProof.objects.all().delete()


def overdue() -> None:
    long_ago = timezone.now() - timedelta(hours=2)
    Email.objects.create(template="x", to="a@example.com", context=b"", next_attempt_at=long_ago)


def unknown_pepper() -> None:
    factories.key(factories.organization())
    ApiKeySecret.objects.update(pepper=999)


@pytest.mark.parametrize(
    ("broken", "subject", "level", "words"),
    [
        (silent, "tasks", Level.FAIL, "no sign of life for 60"),
        (never, "tasks", Level.FAIL, "since Redis was started"),
        (drift, "books", Level.FAIL, "3 differences"),
        (old, "books", Level.WARN, "5 days ago"),
        (unproved, "books", Level.WARN, "never proved"),
        (overdue, "queues", Level.WARN, "1 emails wait, the oldest for 120 minutes"),
        (unknown_pepper, "API keys", Level.FAIL, "under a pepper"),
    ],
)
def test_what_is_broken_is_named(broken: Callable[[], None], subject: str, level: Level, words: str) -> None:
    broken()
    [(actual, text)] = found(subject)
    assert actual is level
    assert words in text


def test_clocks_that_differ_are_named() -> None:
    [finding] = [
        finding for finding in diagnosis.examine(timezone.now() + timedelta(minutes=5)) if finding.subject == "database"
    ]
    assert finding.level is Level.FAIL
    assert "-300 s" in finding.text


def test_partitions_that_run_out_are_named() -> None:
    later = timezone.now() + timedelta(days=200)
    [finding] = [finding for finding in diagnosis.examine(later) if finding.subject == "partitions"]
    assert finding.level is Level.FAIL


@pytest.mark.parametrize("url", ["redis://127.0.0.1:9/0", "amqp://127.0.0.1:9//"])
def test_a_broker_that_does_not_answer_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_READ_URL", url)
    monkeypatch.setitem(current_app.conf, "broker_transport_options", brokers.transport_options(url, seconds=1))
    [(level, text)] = found("tasks")
    assert level is Level.FAIL
    assert "broker of the tasks does not answer" in text


def test_a_mail_server_that_does_not_answer_is_named(settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1"
    settings.EMAIL_PORT = 9
    [(level, text)] = found("email")
    assert level is Level.FAIL
    assert "answer" in text


def test_a_check_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(now: Any) -> Any:
        raise RuntimeError("the check is broken")

    monkeypatch.setitem(diagnosis.CHECKS, "books", broken)
    [(level, text)] = found("books")
    assert (level, text) == (Level.FAIL, "This could not be checked: RuntimeError: the check is broken")


def test_the_command_says_it_by_its_exit_code() -> None:
    drift()
    output = StringIO()
    with pytest.raises(SystemExit) as exit:
        call_command("doctor", stdout=output)
    assert exit.value.code == 1
    assert "FAIL  books: The last proof of the books found 3 differences" in output.getvalue()
