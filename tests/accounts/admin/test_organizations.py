"""The admin of organizations: suspending after a reason and a confirmation, resuming, and what the customer sees."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from accounts import people
from accounts.models import Event, Organization, User

LIST = reverse("admin:accounts_organization_changelist")


def act(operator: Client, action: str, *chosen: Organization, **fields: str) -> Any:
    selected = {"action": action, "_selected_action": [str(organization.pk) for organization in chosen]}
    return operator.post(LIST, {**selected, **fields}, follow=True)


def suspend(operator: Client, *chosen: Organization) -> Any:
    return act(operator, "suspend", *chosen, confirmed="Suspend", reason="Unpaid invoices")


def test_an_operator_suspends_a_root_and_resumes_it(
    operator: Client, api: Any, alice: User, organization: Organization
) -> None:
    client = api(alice)
    suspend(operator, organization)
    assert client.post("/v1/account/api-keys", {"name": "one"}).json()["code"] == "organization_suspended"
    act(operator, "resume", organization)
    assert client.post("/v1/account/api-keys", {"name": "one"}).status_code == 201


@pytest.mark.parametrize("fields", [{}, {"confirmed": "Suspend"}, {"confirmed": "Suspend", "reason": " "}])
def test_without_a_confirmation_and_a_reason_nothing_is_suspended(
    operator: Client, organization: Organization, fields: dict[str, str]
) -> None:
    people.add_child(organization, name="Lab")
    page = act(operator, "suspend", organization, **fields).content.decode()
    assert 'name="reason"' in page
    assert "with 1 beneath it" in page
    organization.refresh_from_db()
    assert organization.status == "active"
    assert not LogEntry.objects.exists()
    assert not Event.objects.of(organization).exists()


def test_it_is_in_the_history_and_in_the_customers_events(
    operator: Client, superuser: User, api: Any, alice: User, organization: Organization
) -> None:
    suspend(operator, organization)
    act(operator, "resume", organization)
    events = [(row["type"], row["data"]) for row in api(alice).get("/v1/events").json()["results"]]
    by = {"actor": f"user:{superuser.pk}"}
    assert events == [
        ("organization.resumed", by),
        ("organization.suspended", {**by, "reason": "Unpaid invoices"}),
    ]
    history = operator.get(reverse("admin:accounts_organization_history", args=[organization.pk])).content.decode()
    assert "organization.suspended reason: Unpaid invoices" in history
    assert "organization.resumed" in history


def test_several_are_suspended_at_once(operator: Client, organization: Organization, charlie: User) -> None:
    theirs = charlie.current_organization
    assert theirs is not None
    suspend(operator, organization, theirs)
    assert set(Organization.objects.values_list("status", flat=True)) == {"suspended"}
    assert Event.objects.count() == 2


@pytest.mark.parametrize("action", ["suspend", "resume"])
def test_a_closed_organization_stays_closed(operator: Client, organization: Organization, action: str) -> None:
    Organization.objects.filter(pk=organization.pk).update(status="closed")
    answer = act(operator, action, organization, confirmed="Suspend", reason="Fraud")
    assert "The organization is closed." in answer.content.decode()
    organization.refresh_from_db()
    assert organization.status == "closed"
    assert not Event.objects.exists()


def test_the_status_is_no_field_of_the_form(operator: Client, organization: Organization) -> None:
    page = reverse("admin:accounts_organization_change", args=[organization.pk])
    assert "status" not in operator.get(page).context["adminform"].form.fields
