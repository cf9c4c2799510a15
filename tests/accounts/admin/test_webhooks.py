"""The admin of webhooks: endpoints of the company are added, all are switched off and on, deliveries are sent again."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import events
from accounts.events import publication
from accounts.models import Delivery, Event, Organization, User, WebhookEndpoint
from accounts.webhooks import outbox, signing
from tests.browser import form_of, text

ADD = reverse("admin:accounts_webhookendpoint_add")
ENDPOINTS = reverse("admin:accounts_webhookendpoint_changelist")
DELIVERIES = reverse("admin:accounts_delivery_changelist")


@pytest.fixture
def endpoint(organization: Organization) -> WebhookEndpoint:
    secret = signing.seal(signing.make_secret())
    options: dict[str, Any] = {"event_types": ["organization.resumed"], "api_version": "v1"}
    return WebhookEndpoint.objects.create(
        organization=organization, url="https://example.com/", secret=secret, **options
    )


def act(operator: Client, page: str, action: str, row: Any) -> None:
    assert operator.post(page, {"action": action, "_selected_action": [str(row.pk)]}).status_code == 302


def test_one_of_the_companys_own_is_added_once_and_its_secret_shown_once(operator: Client) -> None:
    fields = {**form_of(operator.get(ADD)), "url": "https://example.com/all", "event_types": ["*", "user.changed"]}
    made = operator.post(ADD, fields)
    row = WebhookEndpoint.objects.get()
    assert (row.organization, row.event_types) == (None, ["*", "user.changed"])
    [secret] = signing.live(row.secret, None, None, timezone.now())
    assert secret in made.content.decode()
    assert operator.post(ADD, fields).status_code == 302  # reloaded
    assert WebhookEndpoint.objects.count() == 1
    page = operator.get(reverse("admin:accounts_webhookendpoint_change", args=[row.pk]))
    assert secret not in text(page)
    assert LogEntry.objects.get().object_id == str(row.pk)


@pytest.mark.parametrize("url", ["https://user@example.com/", "https://10.0.0.1/", "http://example.com/"])
def test_a_url_that_is_refused_adds_nothing(operator: Client, url: str) -> None:
    answer = operator.post(ADD, {**form_of(operator.get(ADD)), "url": url, "event_types": ["*"]})
    assert (answer.status_code, bool(answer.context["adminform"].form.errors["url"])) == (200, True)
    assert not WebhookEndpoint.objects.exists()


def test_it_is_disabled_and_enabled_and_the_customer_sees_by_whom(
    operator: Client, superuser: User, endpoint: WebhookEndpoint
) -> None:
    act(operator, ENDPOINTS, "disable", endpoint)
    endpoint.refresh_from_db()
    assert endpoint.status == "disabled"
    act(operator, ENDPOINTS, "enable", endpoint)
    rows = Event.objects.order_by("id")
    assert [row.type for row in rows] == ["webhook_endpoint.disabled", "webhook_endpoint.enabled"]
    assert {str(row.actor) for row in rows} == {str({"id": f"user:{superuser.pk}", "kind": "operator"})}


def test_a_delivery_is_sent_again(operator: Client, organization: Organization, endpoint: WebhookEndpoint) -> None:
    events.record(organization.pk, "organization.resumed", {}, timezone.now())
    publication.publish_due(outbox.fan_out)
    Delivery.objects.update(status="failed")
    delivery = Delivery.objects.get()
    shown = operator.get(reverse("admin:accounts_delivery_change", args=[delivery.pk]))
    assert "organization.resumed" in text(shown)
    act(operator, DELIVERIES, "redeliver", delivery)
    delivery.refresh_from_db()
    assert delivery.status == "pending"
