"""The outbox: emails are rows, a task is a nudge, a sweep is the guarantee, and a failure is tried again."""

import smtplib
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from allauth.account.adapter import get_adapter
from allauth.core import context as allauth_context
from celery.contrib.testing.worker import start_worker
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import RequestFactory
from django.utils import timezone

from accounts import emails, tasks, tokens
from accounts.lib import broker
from accounts.models import Email, User
from config.celery import app
from tests import factories
from tests.concurrency import race
from tests.conftest import Api
from tests.leaks import tables_with

LINK = "https://tollgate.example.com/secret-link"


@pytest.fixture
def empty(committed: None) -> None:
    Email.objects.all().delete()  # what other tests left behind


def queue(to: str = "dora@example.com") -> Email:
    emails.queue("message", to=to, context={"subject": "Hello", "body": LINK})
    return Email.objects.latest("created_at")


def test_an_email_goes_out_once_and_its_row_is_gone(empty: None) -> None:
    queue()
    assert [tasks.send_emails(), tasks.send_emails()] == [1, 0]
    (sent,) = mail.outbox
    assert (sent.to, sent.subject, sent.body.split()[0]) == (["dora@example.com"], "Hello", LINK)
    assert not Email.objects.exists()


def test_what_it_says_is_not_in_the_database(db: None) -> None:
    queue()
    assert not tables_with(LINK)


def test_of_many_workers_at_once_one_sends_it(empty: None) -> None:
    for number in range(20):
        queue(f"{number}@example.com")
    sent = race([tasks.send_emails] * 8)
    assert sum(sent) == 20
    assert sorted(email.to[0] for email in mail.outbox) == sorted(f"{number}@example.com" for number in range(20))


def test_workers_that_do_not_claim_send_it_twice(empty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    queue()
    monkeypatch.setattr(emails, "_claim", lambda now: Email.objects.first())
    monkeypatch.setattr(EmailBackend, "send_messages", slow(EmailBackend))
    race([tasks.send_emails] * 2)
    assert len(mail.outbox) > 1


def slow(backend: Any) -> Any:
    ours = backend.send_messages

    def send_messages(self: Any, messages: Any) -> Any:
        time.sleep(0.5)
        return ours(self, messages)

    return send_messages


@pytest.fixture
def down(settings: Any) -> None:
    """Nothing listens where the mail server should be."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1


def at(now: datetime) -> Any:
    return time_machine.travel(now, tick=False)


def test_a_mail_server_that_is_down_is_tried_again_after_seconds_and_then_ever_later(db: None, down: None) -> None:
    begun = timezone.now()
    with at(begun):
        email = queue()
    waits, now = [], begun
    for _ in range(8):
        with at(now):
            assert tasks.send_emails() == 0
        email.refresh_from_db()
        waits.append((email.next_attempt_at - now).total_seconds())
        now = email.next_attempt_at
    assert waits == [5, 20, 80, 320, 1280, 3600, 3600, 3600]


def test_once_it_is_back_the_email_goes_out(db: None, down: None, settings: Any) -> None:
    queue()
    tasks.send_emails()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert tasks.send_emails() == 0
    with at(timezone.now() + timedelta(seconds=6)):
        assert tasks.send_emails() == 1


def test_after_three_days_it_is_given_up(db: None, down: None) -> None:
    queue()
    with at(timezone.now() + timedelta(days=2, hours=23)):
        tasks.send_emails()
    assert Email.objects.exists()
    with at(timezone.now() + timedelta(days=3, hours=1)):
        tasks.send_emails()
    assert not Email.objects.exists()


def test_a_server_that_is_down_costs_one_attempt_a_run(db: None, down: None) -> None:
    for number in range(3):
        queue(f"{number}@example.com")
    tasks.send_emails()
    assert sorted(Email.objects.values_list("attempts", flat=True)) == [0, 0, 1]


def test_an_email_that_can_not_be_made_does_not_hold_up_the_others(db: None) -> None:
    emails.queue("no-such-template", to="one@example.com", context={})
    queue()
    assert [tasks.send_emails(), tasks.send_emails()] == [1, 0]
    assert Email.objects.get().template == "no-such-template"


def refusing(error: Exception, to: str) -> Any:
    """A mail server that answers with this error to one address."""
    send = EmailBackend.send_messages

    def send_messages(self: Any, messages: Any) -> Any:
        if messages[0].to == [to]:
            raise error
        return send(self, messages)

    return send_messages


REFUSED = [
    smtplib.SMTPRecipientsRefused({"bad@example.com": (550, b"No such user")}),
    smtplib.SMTPSenderRefused(552, b"Too large", "us@example.com"),
    smtplib.SMTPDataError(554, b"Spam"),
]
CLOSING = [
    smtplib.SMTPRecipientsRefused({"bad@example.com": (421, b"Closing")}),
    smtplib.SMTPDataError(421, b"Closing"),
    smtplib.SMTPServerDisconnected(),
    TimeoutError(),
]


@pytest.mark.parametrize(("error", "sent"), [*((error, 2) for error in REFUSED), *((error, 0) for error in CLOSING)])
def test_an_email_that_is_refused_does_not_hold_up_the_others(
    db: None, monkeypatch: pytest.MonkeyPatch, error: Exception, sent: int
) -> None:
    monkeypatch.setattr(EmailBackend, "send_messages", refusing(error, "bad@example.com"))
    bad = queue("bad@example.com")
    queue("one@example.com")
    queue("two@example.com")
    assert tasks.send_emails() == sent
    bad.refresh_from_db()
    assert (bad.attempts, bad.next_attempt_at > timezone.now()) == (1, True)
    assert tasks.send_emails() == 2 - sent


def test_the_email_of_a_killed_worker_waits_for_its_lease(db: None) -> None:
    queue()
    assert emails._claim(timezone.now()) is not None  # and then the worker was killed
    assert tasks.send_emails() == 0
    with at(timezone.now() + emails.LEASE):
        assert tasks.send_emails() == 1


def test_queueing_nudges_a_worker_after_the_commit(db: None, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        queue()
    assert [callback.__qualname__ for callback in callbacks] == ["nudge.<locals>.publish"]


def test_without_a_broker_the_answer_comes_at_once_and_the_sweep_sends(
    empty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERY_BROKER_WRITE_URL", "redis+socket:///nowhere.sock")
    monkeypatch.setattr(app.amqp, "_producer_pool", None)
    client, begun = Api(access(factories.user())), time.monotonic()
    assert client.post("/v1/invitations", {"email": "dora@example.com", "role": "viewer"}).status_code == 201
    assert time.monotonic() - begun < 3
    assert tasks.send_emails() == 1


def test_a_worker_sends_what_was_published(empty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests that run beside this one have the same broker.
    monkeypatch.setitem(app.conf.broker_transport_options, "global_keyprefix", f"{factories.unique('celery')}:")
    monkeypatch.setattr(app.amqp, "_producer_pool", None)
    monkeypatch.setattr(broker, "_down_until", 0.0)  # a test before this one may have met a broker that is down
    client = Api(access(factories.user()))
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        made = client.post("/v1/invitations", {"email": "dora@example.com", "role": "viewer"}).json()
        deadline = time.monotonic() + 20
        while not mail.outbox and time.monotonic() < deadline:
            time.sleep(0.05)
    assert made["accept_url"] in mail.outbox[-1].body


def access(user: User) -> str:
    return tokens.issue(user, user.current_organization).access


def test_the_sweep_runs_every_ten_seconds(settings: Any) -> None:
    scheduled = {entry["task"]: entry["schedule"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled[emails.TASK] == 10.0


def test_what_allauth_sends_goes_through_the_outbox_and_says_nothing_of_the_host(db: None, settings: Any) -> None:
    request = RequestFactory().get("/", headers={"host": "evil.example"})
    with allauth_context.request_context(request):
        get_adapter(request).send_mail("account/email/unknown_account", "dora@example.com", {"signup_url": "x"})
    assert mail.outbox == []
    assert tasks.send_emails() == 1
    assert "evil" not in f"{mail.outbox[0].subject} {mail.outbox[0].body}"


def test_a_page_does_not_wait_for_a_mail_server_that_does_not_answer(db: None, settings: Any, alice: User) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "192.0.2.1"  # reserved: packets to it are dropped
    visitor, begun = Api(), time.monotonic()
    answer = visitor.client.post("/accounts/password/reset/", {"email": alice.email})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/password/reset/done/")
    assert time.monotonic() - begun < 3


def test_every_email_ends_with_who_runs_the_installation(settings: Any) -> None:
    place = {"name": "Acme & Sons", "line1": "1 Main St", "city": "Springfield", "country": "US"}
    settings.SELLER = {**settings.SELLER, **place}
    settings.BASE_URL = "https://pay.acme.example"
    message = emails._message("message", "someone@example.com", {"subject": "Hello", "body": "Read this."})
    text, html = str(message.body), str(message.alternatives[0][0])
    assert text == "Read this.\n\n-- \nAcme & Sons\n1 Main St, Springfield, US\nhttps://pay.acme.example\n"
    assert "<title>Hello</title>" in html
    assert html.count("Acme &amp; Sons") == 2
    assert "1 Main St, Springfield, US" in html
