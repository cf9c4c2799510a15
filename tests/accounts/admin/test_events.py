"""Operators look at events, and change none."""

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import events
from accounts.models import Event, Organization


def test_operators_look_and_change_nothing(operator: Client, organization: Organization) -> None:
    personal = {"address": "203.0.113.9"}
    event = events.record(organization.pk, "organization.resumed", {}, timezone.now(), personal=personal)
    page = reverse("admin:accounts_event_change", args=[event.pk])
    text = operator.get(page).content.decode()
    assert "organization.resumed" in text
    assert "203.0.113.9" in text
    assert operator.post(page, {"type": "nothing.happened"}).status_code == 403
    assert operator.get(reverse("admin:accounts_event_changelist") + f"?q={event.public_id}").status_code == 200
    assert Event.objects.get(pk=event.pk).type == event.type
