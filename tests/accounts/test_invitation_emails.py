"""The email of an invitation: its contents, and when it is no longer sent."""

from datetime import timedelta
from email.message import Message
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from accounts import invitations, tasks
from accounts.models import Email, Invitation, Organization, User
from tests import factories
from tests.conftest import Api

MINUTE = timedelta(minutes=1)


def invite(inviter: User, email: str = "dora@example.com") -> Invitation:
    assert inviter.current_organization is not None
    return factories.invitation(inviter.current_organization, email, by=inviter)


@pytest.fixture
def inviter(alice: User) -> User:
    return alice


def test_the_task_sends_it_to_the_invited_address(inviter: User) -> None:
    invitation = invite(inviter)
    assert tasks.send_emails() == 1
    (sent,) = mail.outbox
    assert sent.to == ["dora@example.com"]
    assert sent.subject == f"Alice invites you to {invitation.organization.name}"
    assert sent.extra_headers["Auto-Submitted"] == "auto-generated"
    assert not Email.objects.exists()


def test_the_link_in_text_and_in_html_is_one_that_works(inviter: User) -> None:
    invitation = invite(inviter)
    tasks.send_emails()
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
    tasks.send_emails()
    for part in ("the role Developer", "sign in as dora@example.com", f"{invitation.expires_at:%B %Y, %H:%M} UTC"):
        assert part in mail.outbox[0].body


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Win now http://evil.example/x", "Win now …"),
        ("see WWW.evil.example today", "see … today"),
        ("two\r\nBcc: eve@evil.example lines", "two Bcc: eve@evil\u2024example lines"),
        ("evil.example/win", "evil\u2024example/win"),
        ("evil\u3002example", "evil\u2024example"),
        ("mailto:eve@evil", "…"),
        ("Acme\u202e\u2066 gro.live", "Acme gro\u2024live"),
        ("zero\u200bwidth", "zerowidth"),
        ("می\u200cخواهم 2.0", "می\u200cخواهم 2.0"),
    ],
)
def test_a_name_brings_in_neither_links_nor_headers(inviter: User, name: str, shown: str) -> None:
    Organization.objects.filter(memberships__user=inviter).update(name=name)
    invite(inviter)
    tasks.send_emails()
    message: Message = mail.outbox[0].message()
    assert mail.outbox[0].subject == f"Alice invites you to {shown}"
    assert message["Bcc"] is None
    assert "evil.example" not in mail.outbox[0].body


def test_a_name_is_escaped_in_html(inviter: User) -> None:
    User.objects.filter(pk=inviter.pk).update(name="<b>&Eve")
    invite(inviter)
    tasks.send_emails()
    sent = mail.outbox[0]
    assert isinstance(sent, mail.EmailMultiAlternatives)
    assert "&lt;b&gt;&amp;Eve" in str(sent.alternatives[0][0])
    assert "<b>&Eve invites you" in sent.body


def test_sent_again_before_the_first_email_went_out_only_the_new_link_goes_out(inviter: User) -> None:
    invitation = invite(inviter)
    with time_machine.travel(timezone.now() + MINUTE):
        again = factories.invitation_again(invitation, by=inviter)
        assert tasks.send_emails() == 1
    assert invitations.accept_url(again) in mail.outbox[0].body


@pytest.mark.parametrize("state", ["accepted_at", "revoked_at"])
def test_what_is_over_is_not_sent(inviter: User, state: str) -> None:
    Invitation.objects.filter(pk=invite(inviter).pk).update(**{state: timezone.now()})
    assert tasks.send_emails() == 0
    assert mail.outbox == []
    assert not Email.objects.exists()


def test_what_is_expired_is_not_sent(inviter: User) -> None:
    invite(inviter)
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1)):
        assert tasks.send_emails() == 0
    assert mail.outbox == []


def test_a_link_made_under_the_former_secret_is_sent_all_the_same(inviter: User, settings: Any) -> None:
    invitation = invite(inviter)
    link = invitations.accept_url(invitation)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    tasks.send_emails()
    assert link in mail.outbox[0].body
