"""The audit log in the dashboard and in the admin."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import events
from accounts.models import Event, Organization, User
from tests.accounts.events.test_publication import publish


@pytest.fixture
def changed(organization: Organization, alice: User) -> Event:
    """A key has another budget and another name."""
    event = events.record_change(
        organization.pk,
        "api_key.changed",
        {"monthly_budget": None, "name": "Old"},
        {"monthly_budget": 100, "name": "<b>New</b>"},
        timezone.now(),
        targets=["key_0123456789abcdef"],
        personal=["name"],
        api_key="key_0123456789abcdef",
    )
    assert event
    return event


@pytest.fixture
def page(client: Client, alice: User, organization: Organization) -> Any:
    client.force_login(alice)
    return lambda query="": client.get(f"/o/{organization.public_id}/events/{query}")


def test_the_log_is_filtered_by_what_the_url_says(page: Any, changed: Event, organization: Organization) -> None:
    events.record(organization.pk, "organization.resumed", {}, timezone.now(), targets=[organization.public_id])
    matching = {
        "": ["organization.resumed", "api_key.changed"],
        "?type=api_key.changed": ["api_key.changed"],
        "?target=key_0123456789abcdef": ["api_key.changed"],
        "?actor=user:0": [],
        "?actor=system": ["organization.resumed", "api_key.changed"],
        "?actor=ALICE@example.com": [],
        "?to=2020-01-01": [],
    }
    for query, types in matching.items():
        answer = page(query)
        assert [event.type for event, _ in answer.context["rows"]] == types, query
        assert query.partition("=")[2] in answer.content.decode()
    assert "No event matches" in page("?to=2020-01-01").content.decode()
    assert page("?to=nonsense").status_code == 200


def test_who_did_it_is_named_by_email_or_name(client: Client, page: Any, alice: User, bob: User) -> None:
    client.post("/profile/", {"name": "Alice Liddell", "timezone": "UTC", "language": ""})
    organization = page().context["organization"]
    client.post(f"/o/{organization.public_id}/organizations/", {"name": "Europe"})
    for text in (alice.email.upper(), "liddell", f"user:{alice.pk}"):
        actors = {event.actor["id"] for event, _ in page(f"?actor={text}").context["rows"]}
        assert actors == {f"user:{alice.pk}"}, text
    assert page(f"?actor={bob.email}").context["rows"] == []


def test_an_operator_is_not_found_by_their_address(page: Any, bob: User, organization: Organization) -> None:
    operator = events.platform_actor(f"user:{bob.pk}")
    events.record(organization.pk, "organization.resumed", {"actor": operator.id}, timezone.now(), actor=operator)
    assert page("?actor=operator").context["rows"]
    assert page(f"?actor={bob.email}").context["rows"] == []


def test_the_details_show_before_and_after_and_escape_them(page: Any, changed: Event) -> None:
    text = page(f"{changed.public_id}/").content.decode()
    assert "&lt;b&gt;New&lt;/b&gt;" in text
    assert "<b>New" not in text
    assert "Old" in text
    assert page("evt_0/").status_code == 404


def test_what_was_erased_is_not_shown(page: Any, changed: Event) -> None:
    changed.personal_data.delete()
    text = page(f"{changed.public_id}/").content.decode()
    assert "New" not in text
    assert "monthly_budget" in text


def test_the_export_is_what_is_on_the_page_and_an_event(page: Any, changed: Event, organization: Organization) -> None:
    publish()
    answer = page("export/?format=csv&type=api_key.changed")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert "key_0123456789abcdef" in answer.content.decode()
    exported = Event.objects.of(organization).latest("id")
    assert (exported.type, exported.data["events"]) == ("event_log.exported", 1)
    assert page("export/?format=pdf").status_code == 404
    assert page("export/?format=csv&to=nonsense").status_code == 302


def test_only_those_who_may_audit_see_it(client: Client, organization: Organization, bob: User, charlie: User) -> None:
    path = f"/o/{organization.public_id}/events/"
    client.force_login(bob)
    assert client.get(path).status_code == 403
    assert path not in client.get(f"/o/{organization.public_id}/").content.decode()
    client.force_login(charlie)
    assert client.get(path).status_code == 404
