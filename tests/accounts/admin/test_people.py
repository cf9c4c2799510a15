"""The admin of invitations and security policies: operators look, revoke, and let in who locked themselves out."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Invitation, Organization, SecurityPolicy, User
from tests import factories

INVITATIONS = reverse("admin:accounts_invitation_changelist")


@pytest.fixture
def operator(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser(f"{factories.unique('operator')}@example.com", "x"))
    return client


@pytest.fixture
def invitation(organization: Organization, alice: User) -> Invitation:
    return Invitation.objects.create(
        organization=organization,
        email="dora@example.com",
        role="viewer",
        invited_by=alice,
        digest=b"digest",
        expires_at=timezone.now() + timedelta(days=1),
    )


@pytest.fixture
def locked_out(organization: Organization) -> SecurityPolicy:
    return SecurityPolicy.objects.create(organization=organization, allowed_networks=["192.0.2.0/24"])


def test_an_invitation_is_found_by_its_ids_and_emails(
    operator: Client, invitation: Invitation, alice: User, organization: Organization
) -> None:
    for term in (invitation.public_id, "dora@example.com", alice.email, organization.public_id):
        assert list(operator.get(INVITATIONS, {"q": term}).context["cl"].queryset) == [invitation], term
    assert not operator.get(INVITATIONS, {"q": "inv_nonsense"}).context["cl"].queryset.exists()


def test_it_is_shown_without_its_digest_and_can_not_be_edited(operator: Client, invitation: Invitation) -> None:
    page = reverse("admin:accounts_invitation_change", args=[invitation.pk])
    shown = operator.get(page).content.decode()
    assert "pending" in shown
    assert "digest" not in shown
    operator.post(page, {"email": "eve@example.com", "role": "owner"})
    invitation.refresh_from_db()
    assert (invitation.email, invitation.role) == ("dora@example.com", "viewer")


def test_it_is_revoked(operator: Client, invitation: Invitation) -> None:
    operator.post(INVITATIONS, {"action": "revoke", "_selected_action": [str(invitation.pk)]})
    invitation.refresh_from_db()
    assert invitation.status(timezone.now()) == "revoked"


def test_an_accepted_one_is_not(operator: Client, invitation: Invitation) -> None:
    Invitation.objects.update(accepted_at=timezone.now())
    answer = operator.post(INVITATIONS, {"action": "revoke", "_selected_action": [str(invitation.pk)]}, follow=True)
    assert "was accepted already" in answer.content.decode()
    invitation.refresh_from_db()
    assert invitation.revoked_at is None


def change(operator: Client, policy: SecurityPolicy, **fields: str) -> Any:
    page = reverse("admin:accounts_securitypolicy_change", args=[policy.pk])
    assert operator.get(page).status_code == 200
    blank = {"allowed_networks": "", "allowed_email_domains": "", "longest_key_life_days": ""}
    return operator.post(page, {**blank, **fields})


def test_who_is_locked_out_is_let_in(operator: Client, api: Any, alice: User, locked_out: SecurityPolicy) -> None:
    assert api(alice).get("/v1/members").status_code == 403
    assert change(operator, locked_out, allowed_networks="127.0.0.9/8").status_code == 302
    assert api(alice).get("/v1/members").status_code == 200
    locked_out.refresh_from_db()
    assert locked_out.allowed_networks == ["127.0.0.0/8"]


@pytest.mark.parametrize("field", ["allowed_networks", "allowed_email_domains"])
def test_what_is_no_network_or_domain_is_refused(operator: Client, locked_out: SecurityPolicy, field: str) -> None:
    answer = change(operator, locked_out, **{field: "no such thing"})
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors.keys() == {field}
    locked_out.refresh_from_db()
    assert locked_out.allowed_networks == ["192.0.2.0/24"]


def act(operator: Client, action: str, organization: Organization) -> Any:
    chosen = {"action": action, "_selected_action": [str(organization.pk)]}
    return operator.post(reverse("admin:accounts_organization_changelist"), chosen, follow=True)


def test_an_operator_suspends_a_root_and_resumes_it(
    operator: Client, api: Any, alice: User, organization: Organization
) -> None:
    client = api(alice)
    act(operator, "suspend", organization)
    assert client.post("/v1/account/api-keys", {"name": "one"}).json()["code"] == "organization_suspended"
    act(operator, "resume", organization)
    assert client.post("/v1/account/api-keys", {"name": "one"}).status_code == 201


@pytest.mark.parametrize("action", ["suspend", "resume"])
def test_a_closed_organization_stays_closed(operator: Client, organization: Organization, action: str) -> None:
    Organization.objects.filter(pk=organization.pk).update(status="closed")
    assert "The organization is closed." in act(operator, action, organization).content.decode()
    organization.refresh_from_db()
    assert organization.status == "closed"


def test_the_status_is_no_field_of_the_form(operator: Client, organization: Organization) -> None:
    page = reverse("admin:accounts_organization_change", args=[organization.pk])
    assert "status" not in operator.get(page).context["adminform"].form.fields
