"""What concerns the company alone: its platform keys read it, and no customer does."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from tollgate_client import verification

from accounts import events, signing
from accounts.events import heads, publication
from accounts.models import Event, Organization
from accounts.webhooks import outbox
from apikeys import keys
from tests.conftest import Api

ENDPOINT = {"webhook_endpoint": "we_0", "url": "https://example.com/…", "event_types": ["*"]}


def happen(owner: Organization | None) -> str:
    data = {**ENDPOINT, "description": "", "includes_subtree": False}
    event = events.record(
        owner.pk if owner else None, "webhook_endpoint.created", data, timezone.now(), targets=["we_0"]
    )
    publication.publish_due(outbox.fan_out)
    return event.public_id


def test_a_platform_key_reads_the_events_of_the_company_and_of_no_organization(
    gateway: Api, api: Any, alice: Any, organization: Organization
) -> None:
    theirs, ours = happen(organization), happen(None)
    shown = gateway.get("/v1/events?after=0").json()["results"]
    assert theirs not in {event["id"] for event in shown}
    assert (shown[-1]["id"], shown[-1]["organization"]) == (ours, None)
    assert ours not in {event["id"] for event in api(alice).get("/v1/events").json()["results"]}
    of_type = gateway.get("/v1/events?type=webhook_endpoint.created&target=we_0").json()["results"]
    assert [event["id"] for event in of_type] == [ours]


def test_its_export_proves_itself_and_is_an_event_of_the_company(gateway: Api, organization: Organization) -> None:
    happen(organization)
    happen(None)
    answer = gateway.get("/v1/events/export")
    head = gateway.get("/v1/events/head").json()
    keys = signing.seal_keys()["keys"]
    proof = verification.verify(answer.content.decode().splitlines(keepends=True), keys)
    verification.check_head(proof, head["signature"], keys)
    assert (proof.organization, head["organization"], proof.last) == (None, None, head["last"])
    exported = Event.objects.get(type="event_log.exported")
    assert (exported.organization, exported.data["events"]) == (None, proof.last)


def test_it_takes_the_scope(gateway: Api) -> None:
    _, secret = keys.create(None, name="verifier", permissions=["keys:read"])
    for path in ("/v1/events", "/v1/events/export", "/v1/events/head"):
        answer = Api(secret).get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


def test_its_newest_seal_leaves_the_database_once_a_day(db: None) -> None:
    now = timezone.now()
    assert heads.announce(now) == 0
    happen(None)
    assert heads.announce(now) == 1
    assert Event.objects.get(type=heads.TYPE).data["last"] == 1
    assert heads.announce(now + timedelta(days=2)) == 0
