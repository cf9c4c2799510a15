"""/v1/webhook-endpoints and /v1/webhook-deliveries."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from accounts import events, people
from accounts.events import publication
from accounts.models import Delivery, Event, Organization, User, WebhookEndpoint
from accounts.webhooks import endpoints, outbox, redelivery, sending, worker
from tests import factories
from tests.accounts.webhooks import receivers
from tests.accounts.webhooks.inbox import Inbox, inbox

URL = "https://example.com/hooks"


@pytest.fixture(autouse=True)
def _local(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.BASE_URL = "https://tollgate.example.com"


def make(client: Any, url: str = URL, types: Any = ("*",), **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/webhook-endpoints", {"url": url, "event_types": list(types), **more})
    assert answer.status_code == 201, answer.json()
    return dict(answer.json())


def row_of(body: dict[str, Any]) -> WebhookEndpoint:
    return WebhookEndpoint.objects.get(pk=body["id"].removeprefix("we_"))


def happen(organization: Organization, type: str = "organization.resumed") -> Event:
    return events.record(organization.pk, type, {}, timezone.now())


def deliver() -> None:
    publication.publish_due(outbox.fan_out)
    while worker.run(seconds=5):
        pass


def received(box: Inbox) -> list[str]:
    return [body["type"] for body in box.bodies() if not body["type"].startswith("webhook_endpoint.")]


def test_the_secret_is_shown_once_and_sealed_at_rest(api: Any, alice: User) -> None:
    client = api(alice)
    made = make(client, description="Ours")
    assert made["secret"].startswith("whsec_")
    shown = client.get(f"/v1/webhook-endpoints/{made['id']}").json()
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert made["secret"] not in client.get("/v1/webhook-endpoints").content.decode()
    assert made["secret"].encode() not in bytes(row_of(made).secret)
    assert "whsec_" not in str(list(Event.objects.values_list("data", flat=True)))


def test_each_change_is_an_event_with_its_actor(api: Any, alice: User) -> None:
    client = api(alice)
    path = f"/v1/webhook-endpoints/{make(client)['id']}"
    assert client.patch(path, {"description": "New"}).json()["description"] == "New"
    assert client.patch(path, {"description": "New"}).status_code == 200
    for verb in ("rotate", "disable", "disable", "enable", "enable"):
        assert client.post(f"{path}/{verb}", {}).status_code == 200
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    rows = Event.objects.order_by("id")
    verbs = ["created", "changed", "secret_rotated", "disabled", "enabled", "deleted"]
    assert [row.type for row in rows] == [f"webhook_endpoint.{verb}" for verb in verbs]
    assert {row.actor["kind"] for row in rows if row.actor} == {"person"}
    assert all(row.data.keys() <= events.TYPES[row.type].properties.keys() for row in rows)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "https://user@example.com/", "event_types": ["*"]}, "/url"),
        ({"url": "https://0x7f000001/", "event_types": ["*"]}, "/url"),
        ({"url": "https://good.com\\@127.0.0.1/", "event_types": ["*"]}, "/url"),
        ({"url": "https://tollgate.example.com/", "event_types": ["*"]}, "/url"),
        ({"url": "https://exämple.com/", "event_types": ["*"]}, "/url"),
        ({"url": "https://example.com:99999/", "event_types": ["*"]}, "/url"),
        ({"url": "https://169.254.169.254/latest", "event_types": ["*"]}, "/url"),
        ({"url": "https://[::ffff:10.0.0.1]/", "event_types": ["*"]}, "/url"),
        ({"url": URL, "event_types": ["no.such_type"]}, "/event_types"),
        ({"url": URL, "event_types": []}, "/event_types"),
        ({"url": URL}, "/event_types"),
        ({"event_types": ["*"]}, "/url"),
    ],
)
def test_bad_input_changes_nothing(api: Any, alice: User, body: dict[str, Any], pointer: str) -> None:
    answer = api(alice).post("/v1/webhook-endpoints", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not WebhookEndpoint.objects.exists()
    assert not Event.objects.exists()


def test_an_audit_type_takes_the_right_to_audit(api: Any, alice: User, organization: Organization) -> None:
    developer = factories.user("developer")
    factories.join(developer, organization, "developer")
    people.switch(developer, organization)
    body = {"url": URL, "event_types": ["user.changed"]}
    answer = api(developer).post("/v1/webhook-endpoints", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/event_types")
    owners = make(api(alice), types=["user.changed"])
    path = f"/v1/webhook-endpoints/{owners['id']}"
    for change in ({"url": "https://elsewhere.example.com/"}, {"event_types": ["credits.low"]}):
        assert api(developer).patch(path, change).status_code == 400
    assert row_of(owners).url == URL
    assert api(alice).patch(path, {"url": "https://elsewhere.example.com/"}).status_code == 200


def test_the_seventeenth_is_refused(api: Any, alice: User) -> None:
    client = api(alice)
    for _ in range(endpoints.MOST):
        make(client)
    answer = client.post("/v1/webhook-endpoints", {"url": URL, "event_types": ["*"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_webhook_endpoints")
    assert WebhookEndpoint.objects.count() == endpoints.MOST


def test_an_event_is_delivered_as_it_is_listed_and_verified(api: Any, alice: User, organization: Organization) -> None:
    client = api(alice)
    with inbox() as box:
        made = make(client, box.url, ["organization.resumed"])
        event = happen(organization)
        deliver()
    [request] = box.requests
    assert request.headers["webhook-id"] == event.public_id
    [listed] = [row for row in client.get("/v1/events?after=0").json()["results"] if row["id"] == event.public_id]
    for name in ("created_at", "context", "personal"):
        del listed[name]
    assert Webhook(made["secret"]).verify(request.body, request.headers) == listed
    [delivery] = client.get(f"/v1/webhook-endpoints/{made['id']}/deliveries").json()["results"]
    assert (delivery["status"], delivery["attempt_count"], delivery["event"]) == ("succeeded", 1, event.public_id)
    [attempt] = client.get(f"/v1/webhook-deliveries/{delivery['id']}/attempts").json()["results"]
    assert (attempt["status"], attempt["answer"], attempt["address"]) == (200, "ok", "127.0.0.1")


def test_during_a_rotation_both_secrets_verify_and_later_only_the_new(
    api: Any, alice: User, organization: Organization
) -> None:
    client = api(alice)
    with inbox() as box:
        made = make(client, box.url, ["organization.resumed"])
        path = f"/v1/webhook-endpoints/{made['id']}/rotate"
        new = client.post(path, {"overlap_seconds": 60}).json()["secret"]
        happen(organization)
        deliver()
        newest = client.post(path, {"overlap_seconds": 0}).json()["secret"]
        happen(organization)
        deliver()
    first, second = box.requests
    for secret in (made["secret"], new):
        Webhook(secret).verify(first.body, first.headers)
    Webhook(newest).verify(second.body, second.headers)
    assert len(first.headers["webhook-signature"].split()) == 2
    assert len(second.headers["webhook-signature"].split()) == 1


def test_types_and_trees_decide_what_an_endpoint_gets(api: Any, alice: User, organization: Organization) -> None:
    child = people.add_child(organization, name="Child")
    deliver()  # there is no endpoint yet
    client = api(alice)
    with inbox() as own, inbox() as subtree, inbox() as everything, inbox() as below:
        make(client, own.url, ["credits.low"])
        make(client, subtree.url, ["credits.low"], includes_subtree=True)
        make(client, everything.url)
        people.switch(alice, child)
        make(api(alice), below.url, includes_subtree=True)
        happen(child, "credits.low")
        happen(organization, "credits.low")
        happen(organization, "user.changed")
        deliver()
    assert received(own) == ["credits.low"]
    assert received(subtree) == ["credits.low"] * 2
    assert received(everything) == ["credits.low"]  # of its own, and nothing that is only for audits
    assert received(below) == ["credits.low"]


def test_a_deleted_one_is_gone_at_once_and_its_log_soon(api: Any, alice: User, organization: Organization) -> None:
    client = api(alice)
    path = f"/v1/webhook-endpoints/{make(client)['id']}"
    happen(organization, "credits.low")
    publication.publish_due(outbox.fan_out)
    delivery = Delivery.objects.first()
    assert delivery
    assert client.delete(path).status_code == 204
    for gone in (path, f"{path}/deliveries", f"/v1/webhook-deliveries/{delivery.public_id}"):
        assert client.get(gone).status_code == 404
    assert client.post(f"{path}/enable", {}).status_code == 404
    assert client.get("/v1/webhook-endpoints").json()["count"] == 0
    waiting = Delivery.objects.count()
    happen(organization, "credits.low")
    publication.publish_due(outbox.fan_out)
    assert (Delivery.objects.count(), worker.run()) == (waiting, 0)
    outbox.purge()
    assert not Delivery.objects.exists()
    assert not WebhookEndpoint.objects.exists()


def test_a_test_event_shows_the_answer_and_counts_nowhere(api: Any, alice: User) -> None:
    client = api(alice)
    with inbox() as box, receivers.receiver(receivers.no_http) as (bad, _):
        good = client.post(f"/v1/webhook-endpoints/{make(client, box.url)['id']}/test").json()
        made = make(client, bad)
        answer = client.post(f"/v1/webhook-endpoints/{made['id']}/test").json()
    assert (good["status"], good["answer"]) == (200, "ok")
    assert (answer["status"], answer["error"]) == (None, "not_http")
    assert box.bodies()[0]["type"] == "webhook_endpoint.tested"
    assert row_of(made).failures == 0
    assert not Delivery.objects.exists()


def test_one_test_is_sent_at_a_time(api: Any, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client, inner = api(alice), list[Any]()
    made = make(client)

    def slow(*_: Any, **__: Any) -> sending.Response:
        if not inner:
            inner.append(client.post(f"/v1/webhook-endpoints/{made['id']}/test"))
            raise RuntimeError  # the place is free again whatever happens
        return sending.Response(200, "", "127.0.0.1", 5)

    monkeypatch.setattr(sending, "post", slow)
    with pytest.raises(RuntimeError):
        endpoints.test(row_of(made))
    assert (inner[0].status_code, inner[0]["Retry-After"]) == (429, "4")
    assert client.post(f"/v1/webhook-endpoints/{made['id']}/test").status_code == 200


def test_one_delivery_and_all_that_failed_are_sent_again_under_the_same_id(
    api: Any, alice: User, organization: Organization
) -> None:
    client = api(alice)
    with inbox() as box:
        made = make(client, box.url, ["organization.resumed"])
        happened = [happen(organization).public_id for _ in range(2)]
        deliver()
        path = f"/v1/webhook-endpoints/{made['id']}"
        last = client.get(f"{path}/deliveries").json()["results"][0]
        assert client.post(f"/v1/webhook-deliveries/{last['id']}/redeliver").json()["status"] == "pending"
        deliver()
        Delivery.objects.update(status="failed")
        since = (timezone.now() - timedelta(hours=1)).isoformat()
        job = client.post(f"{path}/redeliver", {"since": since})
        assert (job.status_code, job.json()["total"], job.json()["done"]) == (202, 2, 0)
        assert redelivery.run(timezone.now()) == 2
        [shown] = client.get(f"{path}/redeliveries").json()["results"]
        assert (shown["id"], shown["done"], shown["finished_at"] is None) == (job.json()["id"], 2, False)
        deliver()
        old = (timezone.now() - timedelta(days=15)).isoformat()
        assert client.post(f"{path}/redeliver", {"since": old}).status_code == 400
    sent = [request.headers["webhook-id"] for request in box.requests]
    assert sent[:2] == happened
    assert sent[2] in happened
    assert sorted(sent[3:]) == sorted(happened)  # no order is promised


@pytest.mark.parametrize("query", ["limit=", "limit=nonsense", "limit=101", "offset=-1", "offset=%00"])
def test_an_unknown_value_of_a_list_is_refused(api: Any, alice: User, query: str) -> None:
    client = api(alice)
    with inbox() as box:
        made = make(client, box.url)
        happen(alice.current_organization)  # type: ignore[arg-type]
        deliver()
    path = f"/v1/webhook-endpoints/{made['id']}/deliveries"
    [delivery, *_] = client.get(path).json()["results"]
    for listed in (path, f"/v1/webhook-deliveries/{delivery['id']}/attempts"):
        answer = client.get(f"{listed}?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{query.partition('=')[0]}")
