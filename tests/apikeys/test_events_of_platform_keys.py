"""Platform keys are the company's: what happens to them is in the company's own log, which no customer sees."""

from datetime import timedelta
from typing import Any

from django.test import Client
from django.urls import reverse

from accounts import tasks
from accounts.models import Delivery, Event, Organization, PublishedEvent, User, WebhookEndpoint
from accounts.webhooks import endpoints
from apikeys import keys
from tests.browser import signed_in


def listed() -> list[tuple[str, str]]:
    rows = Event.objects.filter(organization=None).order_by("id")
    return [(row.type, (row.actor or {})["kind"]) for row in rows]


def test_making_changing_rotating_and_revoking_one_is_an_event(db: None) -> None:
    key, secret = keys.create_platform("gateway")
    keys.update(key, {"name": "our gateway"})
    keys.rotate(key, timedelta(0))
    keys.revoke(key)
    verbs = ("created", "changed", "rotated", "revoked")
    assert listed() == [(f"api_key.{verb}", "system") for verb in verbs]
    assert secret not in str(list(Event.objects.values_list("data", flat=True)))


def test_what_an_operator_does_to_one_is_theirs(db: None) -> None:
    operator = User.objects.create_superuser("op@example.com", "x")
    key, _ = keys.create_platform("gateway")
    browser: Client = signed_in(operator)
    action = {"action": "revoke", "_selected_action": str(key.pk)}
    browser.post(reverse("admin:apikeys_apikey_changelist"), action)
    assert listed()[-1] == ("api_key.revoked", "operator")
    assert Event.objects.order_by("-id")[0].targets == [key.public_id]


def test_they_are_published_in_a_log_of_their_own(api: Any, alice: User, organization: Organization) -> None:
    company, _ = endpoints.create(None, {"url": "https://example.com/", "event_types": ["*"]}, scopes=())
    customers, _ = endpoints.create(
        organization, {"url": "https://example.com/", "event_types": ["*"], "includes_subtree": True}, scopes=()
    )
    keys.create_platform("gateway")
    keys.create(organization, name="theirs", created_by=alice)
    tasks.publish_events()
    keys.create_platform("another")
    tasks.publish_events()
    places = PublishedEvent.objects.filter(root=None).order_by("sequence")
    assert [place.sequence for place in places] == list(range(1, len(places) + 1))
    assert len(places) == 3  # the endpoint and two keys
    got = {endpoint: _got(endpoint) for endpoint in (company, customers)}
    assert (got[company].count("api_key.created"), got[customers].count("api_key.created")) == (3, 1)
    shown = api(alice).get("/v1/events").json()["results"]
    assert all(event["organization"] == organization.public_id for event in shown)


def _got(endpoint: WebhookEndpoint) -> list[str]:
    return list(Delivery.objects.filter(endpoint=endpoint).values_list("event__type", flat=True))
