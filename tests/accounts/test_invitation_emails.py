"""The email of an invitation: the row is the queue, the task a nudge, the sweep the guarantee."""

import time
from datetime import timedelta
from email.message import Message
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.core import mail
from django.core.cache import cache
from django.utils import timezone

from accounts import invitations, tasks, tokens
from accounts.models import Invitation, Organization, User
from config.celery import app
from tests import factories
from tests.conftest import Api

MINUTE = timedelta(minutes=1)


def invite(inviter: User, email: str = "dora@example.com") -> Invitation:
    assert inviter.current_organization is not None
    return factories.invitation(inviter.current_organization, email, by=inviter)


def age(invitation: Invitation) -> Invitation:
    """Make it two minutes old. Its token is made of its expiry, so the digest is made anew."""
    invitations._renew(invitation, timezone.now() - 2 * MINUTE)
    invitation.save()
    return invitation


@pytest.fixture
def inviter(committed: None) -> User:
    Invitation.objects.filter(sent_at=None).update(sent_at=timezone.now())  # what other tests left behind
    return factories.user("alice")


def test_the_task_sends_it_to_the_invited_address(inviter: User) -> None:
    invitation = invite(inviter)
    assert tasks.send_invitation(str(invitation.pk))
    (sent,) = mail.outbox
    assert sent.to == ["dora@example.com"]
    assert sent.subject == f"Alice invites you to {invitation.organization.name}"
    assert sent.extra_headers["Auto-Submitted"] == "auto-generated"
    invitation.refresh_from_db()
    assert invitation.sent_at


def test_the_link_in_text_and_in_html_is_one_that_works(inviter: User) -> None:
    invitation = invite(inviter)
    tasks.send_invitation(str(invitation.pk))
    sent = mail.outbox[0]
    assert isinstance(sent, mail.EmailMultiAlternatives)
    html = str(sent.alternatives[0][0])
    link = invitations.accept_url(invitation)
    assert link in sent.body
    assert f'href="{link}"' in html
    shown = Api().get("/v1/invitations/accept?token=" + link.partition("=")[2])
    assert shown.json()["email"] == "dora@example.com"


def test_it_says_the_role_the_address_and_until_when(inviter: User) -> None:
    invitation = invite(inviter)
    tasks.send_invitation(str(invitation.pk))
    for part in ("developer", "sign in as dora@example.com", f"{invitation.expires_at:%B %Y, %H:%M} UTC"):
        assert part in mail.outbox[0].body


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Win now http://evil.example/x", "Win now …"),
        ("see WWW.evil.example today", "see … today"),
        ("two\r\nBcc: eve@example.com lines", "two Bcc: eve@example.com lines"),
    ],
)
def test_a_name_brings_in_neither_links_nor_headers(inviter: User, name: str, shown: str) -> None:
    Organization.objects.filter(memberships__user=inviter).update(name=name)
    tasks.send_invitation(str(invite(inviter).pk))
    message: Message = mail.outbox[0].message()
    assert mail.outbox[0].subject == f"Alice invites you to {shown}"
    assert message["Bcc"] is None
    assert "evil" not in mail.outbox[0].body


def test_a_name_is_escaped_in_html(inviter: User) -> None:
    User.objects.filter(pk=inviter.pk).update(name="<b>&Eve")
    tasks.send_invitation(str(invite(inviter).pk))
    sent = mail.outbox[0]
    assert isinstance(sent, mail.EmailMultiAlternatives)
    assert "&lt;b&gt;&amp;Eve" in str(sent.alternatives[0][0])
    assert "<b>&Eve invites you" in sent.body


def test_sent_again_by_task_or_sweep_it_goes_out_once(inviter: User) -> None:
    invitation = age(invite(inviter))
    assert tasks.send_invitation(str(invitation.pk))
    assert not tasks.send_invitation(str(invitation.pk))
    assert tasks.send_unsent_invitations() == 0
    assert len(mail.outbox) == 1


def test_while_one_sends_another_does_not(inviter: User) -> None:
    invitation = invite(inviter)
    cache.add(f"invitation:{bytes(invitation.digest).hex()}", 1, 60)
    assert not tasks.send_invitation(str(invitation.pk))
    assert mail.outbox == []


def test_the_sweep_sends_what_no_task_has_sent(inviter: User) -> None:
    for name in ("one", "two"):
        age(invite(inviter, f"{name}@example.com"))
    assert tasks.send_unsent_invitations() == 2
    assert {sent.to[0] for sent in mail.outbox} == {"one@example.com", "two@example.com"}


def test_the_sweep_leaves_a_fresh_one_to_its_task(inviter: User) -> None:
    invite(inviter)
    assert tasks.send_unsent_invitations() == 0


@pytest.mark.parametrize("state", ["accepted_at", "revoked_at"])
def test_what_is_over_is_not_sent(inviter: User, state: str) -> None:
    invitation = age(invite(inviter))
    Invitation.objects.filter(pk=invitation.pk).update(**{state: timezone.now()})
    assert not tasks.send_invitation(str(invitation.pk))
    assert tasks.send_unsent_invitations() == 0
    assert mail.outbox == []


def test_what_is_expired_is_not_sent(inviter: User) -> None:
    invitation = invite(inviter)
    Invitation.objects.filter(pk=invitation.pk).update(expires_at=timezone.now() - MINUTE)
    assert not tasks.send_invitation(str(invitation.pk))


def test_one_that_fails_holds_up_no_other_and_is_tried_again(inviter: User, settings: Any) -> None:
    failing, fine = age(invite(inviter, "one@example.com")), age(invite(inviter, "two@example.com"))
    Invitation.objects.filter(pk=failing.pk).update(digest=failing.pk.bytes)  # no secret makes this one
    assert tasks.send_unsent_invitations() == 1
    failing.refresh_from_db()
    fine.refresh_from_db()
    assert fine.sent_at
    assert failing.sent_at is None
    age(failing)
    assert tasks.send_unsent_invitations() == 1


def test_a_mail_server_that_is_down_leaves_it_unsent(inviter: User, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    invitation = invite(inviter)
    with pytest.raises(OSError, match="refused"):
        tasks.send_invitation(str(invitation.pk))
    invitation.refresh_from_db()
    assert invitation.sent_at is None


def test_a_link_made_under_the_former_secret_is_sent_all_the_same(inviter: User, settings: Any) -> None:
    invitation = invite(inviter)
    link = invitations.accept_url(invitation)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    tasks.send_invitation(str(invitation.pk))
    assert link in mail.outbox[0].body


def test_making_one_nudges_a_worker_after_the_commit(
    api: Any, alice: User, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        made = api(alice).post("/v1/invitations", {"email": "dora@example.com", "role": "viewer"})
        api(alice).post(f"/v1/invitations/{made.json()['id']}/resend", {})
    assert [callback.__qualname__ for callback in callbacks] == ["nudge.<locals>.publish"] * 2


def test_without_a_broker_the_answer_is_201_at_once_and_the_sweep_sends(
    inviter: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERY_BROKER_WRITE_URL", "redis+socket:///nowhere.sock")
    monkeypatch.setattr(app.amqp, "_producer_pool", None)
    client, began = Api(access(inviter)), time.monotonic()
    assert client.post("/v1/invitations", {"email": "dora@example.com", "role": "viewer"}).status_code == 201
    assert time.monotonic() - began < 3
    age(Invitation.objects.get(organization=inviter.current_organization))
    assert tasks.send_unsent_invitations() == 1


def test_a_worker_sends_what_was_published(inviter: User, monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests that run beside this one have the same broker.
    monkeypatch.setitem(app.conf.broker_transport_options, "global_keyprefix", f"{factories.unique('celery')}:")
    monkeypatch.setattr(app.amqp, "_producer_pool", None)
    client = Api(access(inviter))
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        made = client.post("/v1/invitations", {"email": "dora@example.com", "role": "viewer"}).json()
        row = Invitation.objects.filter(email="dora@example.com", organization=inviter.current_organization)
        deadline = time.monotonic() + 20
        while not row.get().sent_at and time.monotonic() < deadline:
            time.sleep(0.05)
    assert made["accept_url"] in mail.outbox[-1].body


def access(user: User) -> str:
    return tokens.issue(user, user.current_organization).access


def test_the_sweep_runs_every_minute(settings: Any) -> None:
    scheduled = {entry["task"]: entry["schedule"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled["accounts.tasks.send_unsent_invitations"] == 60.0
