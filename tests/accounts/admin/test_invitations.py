"""The admin of invitations: operators look at them and revoke them."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Invitation, Organization, User

INVITATIONS = reverse("admin:accounts_invitation_changelist")


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


def test_an_invitation_is_found_by_its_ids_and_emails(
    operator: Client, invitation: Invitation, alice: User, organization: Organization
) -> None:
    for term in (invitation.public_id, "dora@example.com", alice.email, organization.public_id):
        assert list(operator.get(INVITATIONS, {"q": term}).context["cl"].queryset) == [invitation], term
    assert not operator.get(INVITATIONS, {"q": "inv_nonsense"}).context["cl"].queryset.exists()


def test_it_is_shown_without_its_digest_and_can_not_be_edited(operator: Client, invitation: Invitation) -> None:
    page = reverse("admin:accounts_invitation_change", args=[invitation.pk])
    shown = operator.get(page).content.decode()
    assert "Pending" in shown
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
    assert "was already accepted" in answer.content.decode()
    invitation.refresh_from_db()
    assert invitation.revoked_at is None
