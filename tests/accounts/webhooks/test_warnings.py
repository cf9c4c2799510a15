"""Emails about an endpoint that fails: at the fourth failure, half way, and when it is disabled."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from accounts import emails
from accounts.models import Organization, User, WebhookEndpoint
from tests import factories
from tests.accounts.webhooks.test_outbox import answer, attempt, endpoint, happen


@pytest.fixture(autouse=True)
def _people(alice: User, organization: Organization, bob: User, charlie: User, settings: Any) -> None:
    """bob is a viewer, charlie a stranger, and a service account has no mailbox."""
    settings.BASE_URL = "https://tollgate.example.com"
    factories.join(factories.user("dora"), organization, "developer")
    robot = factories.user("robot")
    User.objects.filter(pk=robot.pk).update(is_service=True)
    factories.join(robot, organization, "developer")


def fail(times: int, clock: Any, apart: timedelta) -> None:
    for _ in range(times):
        attempt(answer())
        clock.shift(apart)
        WebhookEndpoint.objects.update(next_attempt_at=None)


def subjects() -> list[str]:
    """The subjects of the emails since the last call."""
    emails.send_due({})
    sent = [str(message.subject) for message in mail.outbox]
    mail.outbox.clear()
    return sorted(set(sent))


def test_each_is_sent_once_to_those_who_can_mend_it(organization: Organization, alice: User) -> None:
    made = endpoint(organization)
    happen(organization, 2)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        fail(3, clock, timedelta(minutes=10))
        assert subjects() == []
        fail(1, clock, timedelta(hours=1))
        emails.send_due({})
        [to_alice, to_dora] = sorted(mail.outbox, key=lambda message: message.to)
        assert (to_alice.to, to_dora.to[0][:4]) == ([alice.email], "dora")
        assert f"/o/{organization.public_id}/webhooks/{made.public_id}/" in to_alice.body
        mail.outbox.clear()
        fail(2, clock, timedelta(hours=12))
        assert subjects() == []
        clock.shift(timedelta(days=2))
        fail(1, clock, timedelta(hours=1))
        assert subjects() == [f"A webhook endpoint of {organization.name} keeps failing"]
        fail(1, clock, timedelta(days=3))
        assert subjects() == []
        attempt(answer())
        assert subjects() == [f"A webhook endpoint of {organization.name} is disabled"]


def test_one_that_fails_and_recovers_is_worth_one_a_day(organization: Organization) -> None:
    endpoint(organization)
    happen(organization, 30)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        sent = []
        for _ in range(3):
            fail(4, clock, timedelta(minutes=1))
            sent += subjects()
            attempt(answer(200))
        clock.shift(timedelta(days=1))
        fail(4, clock, timedelta(minutes=1))
        sent += subjects()
    assert len(sent) == 2


def test_of_the_companys_own_the_superusers_are_told(organization: Organization) -> None:
    boss = factories.user("boss")
    boss.is_superuser = True
    boss.save()
    made = endpoint(organization)
    WebhookEndpoint.objects.update(organization=None)
    happen(organization)
    attempt(answer(410))
    emails.send_due({})
    [message] = mail.outbox
    assert (message.to, made.public_id in message.body) == ([boss.email], True)
    assert f"/admin/accounts/webhookendpoint/{made.pk}/" in message.body
