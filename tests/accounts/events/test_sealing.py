"""The chain of digests: it proves every event, whoever changed it, and outlives the erasure of a person."""

import hashlib
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from accounts import events
from accounts.events import publication, sealing
from accounts.lib import chains
from accounts.models import Event, Organization, PersonalData, PublishedEvent, User
from accounts.webhooks import outbox
from tests.attacks import run


def happen(organization: Organization, **options: Any) -> Event:
    event = events.record(organization.pk, "organization.resumed", {"actor": "user:7"}, timezone.now(), **options)
    return stored(event)


def stored(event: Event) -> Event:
    return Event.objects.select_related("organization").get(pk=event.pk)


def test_each_digest_follows_from_the_one_before_and_the_line(organization: Organization) -> None:
    made = [happen(organization) for _ in range(3)]
    publication.publish_due(outbox.fan_out)
    digest = chains.START
    for sequence, event in enumerate(made, 1):
        text = sealing.line(event, sequence)
        digest = hashlib.sha256(digest + hashlib.sha256(text.encode()).digest()).digest()
        assert bytes(PublishedEvent.objects.get(event=event).digest) == digest


def test_the_line_has_no_personal_data_but_its_digest(organization: Organization) -> None:
    event = happen(organization, personal={"address": "203.0.113.9"})
    kept = PersonalData.objects.get(event=event)
    text = sealing.line(event, 1)
    assert kept.members == {"address": "203.0.113.9"}
    assert "203.0.113.9" not in text
    assert hashlib.sha256(bytes(kept.salt) + kept.text.encode()).hexdigest() in text


def test_erasure_leaves_the_line_as_it_was(organization: Organization) -> None:
    event = happen(organization, personal={"address": "203.0.113.9"})
    before = sealing.line(event, 1)
    PersonalData.objects.filter(event=event).delete()
    assert sealing.line(stored(event), 1) == before


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE accounts_publishedevent SET sequence = sequence + 1",
        "DELETE FROM accounts_publishedevent",
        "TRUNCATE accounts_publishedevent CASCADE",
        "UPDATE accounts_personaldata SET text = '{}'",
    ],
)
def test_the_seal_can_not_be_rewritten(organization: Organization, attack: str) -> None:
    happen(organization, personal={"address": "203.0.113.9"})
    publication.publish_due(outbox.fan_out)
    with pytest.raises(IntegrityError, match="append-only"):
        run(attack)


def test_the_events_of_a_request_say_who_made_it_and_from_where(
    api: Any, alice: User, organization: Organization
) -> None:
    body = {"url": "https://example.com/hooks", "event_types": ["*"]}
    assert api(alice).post("/v1/webhook-endpoints", body, x_request_id="r-1", user_agent="curl/8").status_code == 201
    event = Event.objects.latest("id")
    assert event.actor == {"kind": "person", "id": f"user:{alice.pk}"}
    assert event.context == {"request_id": "r-1", "credential": "token"}
    assert event.personal_data.members == {"address": "127.0.0.1", "user_agent": "curl/8"}


def test_outside_of_a_request_the_system_acts(organization: Organization) -> None:
    event = happen(organization)
    assert (event.actor, event.context) == ({"kind": "system", "id": None}, {})
    assert not PersonalData.objects.exists()
