"""The company's own endpoints: the events of all organizations, for platform keys and operators alone."""

from typing import Any

import pytest
from django.utils import timezone

from accounts import events
from accounts.events import publication
from accounts.models import Event, Organization, User, WebhookEndpoint
from accounts.webhooks import endpoints, outbox, worker
from apikeys import keys
from tests.accounts.webhooks.inbox import inbox
from tests.conftest import Api

PATH = "/v1/webhook-endpoints"
TYPE = "organization.resumed"


@pytest.fixture(autouse=True)
def _local(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.BASE_URL = "https://tollgate.example.com"


def test_it_gets_the_events_of_all_organizations(gateway: Any, organization: Organization, charlie: User) -> None:
    other = charlie.current_organization
    assert other
    with inbox() as box:
        made = gateway.post(PATH, {"url": box.url, "event_types": [TYPE]})
        assert made.status_code == 201, made.json()
        for owner in (organization, other):
            events.record(owner.pk, TYPE, {}, timezone.now())
        publication.publish_due(outbox.fan_out)
        assert worker.run() == 2
    assert {body["organization"] for body in box.bodies()} == {organization.public_id, other.public_id}
    [*deliveries] = gateway.get(f"{PATH}/{made.json()['id']}/deliveries").json()["results"]
    assert {delivery["status"] for delivery in deliveries} == {"succeeded"}
    again = gateway.post(f"/v1/webhook-deliveries/{deliveries[0]['id']}/redeliver")
    assert (again.status_code, again.json()["status"]) == (200, "pending")


def test_customers_see_none_of_it_and_the_company_none_of_theirs(gateway: Any, api: Any, alice: User) -> None:
    body = {"url": "https://example.com/", "event_types": ["*"]}
    ours, hers = gateway.post(PATH, body).json()["id"], api(alice).post(PATH, body).json()["id"]
    assert [row["id"] for row in gateway.get(PATH).json()["results"]] == [ours]
    assert [row["id"] for row in api(alice).get(PATH).json()["results"]] == [hers]
    for client, other in ((gateway, hers), (api(alice), ours)):
        assert client.get(f"{PATH}/{other}").status_code == 404
        assert client.delete(f"{PATH}/{other}").status_code == 404
        assert client.post(f"{PATH}/{other}/rotate", {}).status_code == 404
    assert WebhookEndpoint.objects.count() == 2


def test_everything_can_be_done_to_it_and_the_seventeenth_is_refused(gateway: Any) -> None:
    body = {"url": "https://example.com/", "event_types": ["*"]}
    path = f"{PATH}/{gateway.post(PATH, body).json()['id']}"
    assert gateway.patch(path, {"description": "Data warehouse"}).json()["description"] == "Data warehouse"
    for verb in ("rotate", "disable", "enable"):
        assert gateway.post(f"{path}/{verb}", {}).status_code == 200
    assert gateway.post(f"{path}/redeliver", {"since": timezone.now().isoformat()}).status_code == 202
    for _ in range(endpoints.MOST - 1):
        assert gateway.post(PATH, body).status_code == 201
    assert gateway.post(PATH, body).json()["code"] == "too_many_webhook_endpoints"
    assert not Event.objects.filter(organization__isnull=False).exists()
    assert gateway.delete(path).status_code == 204


def test_a_platform_key_without_the_scope_may_not(db: None) -> None:
    _, secret = keys.create(None, name="gate", permissions=["keys:read"])
    assert Api(secret).get(PATH).json()["code"] == "insufficient_scope"


def test_each_change_is_an_event_of_the_company(gateway: Any, db: None) -> None:
    made = gateway.post(PATH, {"url": "https://example.com/hooks?key=1", "event_types": [TYPE]}).json()
    gateway.patch(f"{PATH}/{made['id']}", {"url": "https://elsewhere.example.com/"})
    rows = Event.objects.filter(organization=None, type__startswith="webhook_endpoint").order_by("id")
    assert [row.type for row in rows] == ["webhook_endpoint.created", "webhook_endpoint.changed"]
    assert all(row.actor and row.actor["kind"] == "platform_key" and row.targets == [made["id"]] for row in rows)
    assert rows[1].data["before"] == {"url": "https://example.com/…"}
    assert made["secret"] not in str([row.data for row in rows])
