"""Every action of an operator is in the admin's history, and in the events of the customer whom it concerns."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts.admin import RecordedAdmin
from accounts.models import Event, Organization, SecurityPolicy, User
from apikeys.models import ApiKey
from tests import factories
from tests.browser import form_of

PASSWORD = "a new long passphrase"


def change(operator: Client, row: Any, **fields: str) -> Any:
    page = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return operator.post(page, {**form_of(operator.get(page)), **fields})


def the_event(organization: Organization) -> tuple[str, dict[str, Any]]:
    event = Event.objects.of(organization).latest("id")
    return event.type, event.data


def test_a_change_of_an_organization(operator: Client, superuser: User, organization: Organization) -> None:
    assert change(operator, organization, name="New name").status_code == 302
    changes = {"fields": ["name"], "before": {}, "after": {}, "actor": f"user:{superuser.pk}"}
    assert the_event(organization) == ("organization.changed", changes)
    erasable = Event.objects.of(organization).get().personal_data.members
    assert (erasable["before"], erasable["after"]) == ({"name": organization.name}, {"name": "New name"})
    assert LogEntry.objects.get().object_id == str(organization.pk)


def test_a_form_that_changes_nothing_tells_nothing(operator: Client, organization: Organization) -> None:
    assert change(operator, organization).status_code == 302
    assert not Event.objects.exists()


def test_a_change_of_a_person_is_told_wherever_they_are_a_member(
    operator: Client, bob: User, organization: Organization
) -> None:
    assert change(operator, bob, name="Robert").status_code == 302
    assert {event.organization_id for event in Event.objects.all()} == set(
        bob.memberships.values_list("organization_id", flat=True)
    )
    type, data = the_event(organization)
    assert (type, data["user"], data["fields"]) == ("user.changed", bob.pk, ["name"])
    assert "Robert" not in str(data)


def test_a_reset_that_an_operator_sends(operator: Client, alice: User, organization: Organization) -> None:
    people = reverse("admin:accounts_user_changelist")
    operator.post(people, {"action": "send_reset", "_selected_action": alice.pk})
    type, data = the_event(organization)
    assert (type, data["fields"]) == ("user.changed", ["password_reset"])


def test_a_security_policy(operator: Client, organization: Organization) -> None:
    policy = SecurityPolicy.objects.create(organization=organization, longest_key_life_days=7)
    assert change(operator, policy, longest_key_life_days="30").status_code == 302
    type, data = the_event(organization)
    assert (type, data["after"]) == ("security_policy.changed", {"longest_key_life_days": 30})


def test_a_revoked_invitation(operator: Client, alice: User, organization: Organization) -> None:
    invitation = factories.invitation(organization, "dora@example.com", by=alice)
    chosen = {"action": "revoke", "_selected_action": [str(invitation.pk)]}
    operator.post(reverse("admin:accounts_invitation_changelist"), chosen)
    type, data = the_event(organization)
    assert (type, data["invitation"]) == ("invitation.revoked", invitation.public_id)
    assert LogEntry.objects.get().change_message == "invitation.revoked"


def test_a_revoked_key(operator: Client, organization: Organization) -> None:
    key, _ = factories.key(organization)
    chosen = {"action": "revoke", "_selected_action": [str(key.pk)]}
    operator.post(reverse("admin:apikeys_apikey_changelist"), chosen)
    type, data = the_event(organization)
    assert (type, data["api_key"]) == ("api_key.revoked", key.public_id)
    assert LogEntry.objects.get().change_message == "api_key.revoked"


def test_a_new_platform_key(operator: Client) -> None:
    page = reverse("admin:apikeys_apikey_add")
    operator.post(page, {**form_of(operator.get(page)), "name": "gateway"})
    assert LogEntry.objects.get().object_id == str(ApiKey.objects.get().pk)


def test_every_page_of_ours_records() -> None:
    others = {model.__name__ for model, page in admin.site._registry.items() if not isinstance(page, RecordedAdmin)}
    assert others == {"Group"}  # concerns operators alone, and Django writes its history


MODELS: list[type[Model]] = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_no_list_deletes_what_is_selected(operator: Client, model: Any) -> None:
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    assert "delete_selected" not in operator.get(page).content.decode()
