"""The people page: roles, invitations, and who leaves."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import Invitation, Membership, Organization, User
from tests import factories
from tests.browser import at, messages_of, signed_in, text


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


def people(browser: Client, organization: Organization, rest: str = "", **fields: Any) -> Any:
    path = at(organization, f"people/{rest}")
    return browser.post(path, fields) if fields else browser.get(path)


def test_it_lists_members_with_what_they_inherit(
    browser: Client, alice: User, bob: User, organization: Organization
) -> None:
    child = Organization.objects.create_child(organization, name="Europe")
    page = text(people(browser, child))
    assert page.count(f"from {organization.name}") == 2
    assert "Remove" not in page
    assert bob.email in text(people(browser, organization))
    page = text(browser.get(at(organization, f"people/?q={bob.email[:5]}")))
    assert (bob.email in page, f">{alice.email}<" in page.split("</header>")[1]) == (True, False)
    assert "Nobody matches" in text(browser.get(at(organization, "people/?q=zzz%00")))


def test_an_invitation_shows_its_link_once(browser: Client, organization: Organization) -> None:
    answer = people(browser, organization, email="Dora@Example.com", role="developer")
    assert (answer.status_code, "no-store" in answer["Cache-Control"]) == (201, True)
    invitation = Invitation.objects.of(organization).get()
    assert (invitation.email, invitation.role) == ("dora@example.com", "developer")
    assert "?token=it_" in answer.context["link"]
    page = text(people(browser, organization))
    assert "dora@example.com" in page
    assert "it_" not in page


@pytest.mark.parametrize(("email", "role"), [("nonsense", "viewer"), ("x@example.com", "god"), ("", "viewer")])
def test_a_bad_invitation_invites_nobody(browser: Client, organization: Organization, email: str, role: str) -> None:
    answer = people(browser, organization, email=email, role=role)
    assert answer.status_code == 400
    assert len(answer.context["form"].errors) == 1
    assert not Invitation.objects.exists()


def test_a_member_can_not_be_invited_again(browser: Client, bob: User, organization: Organization) -> None:
    answer = people(browser, organization, email=bob.email, role="viewer")
    assert (answer.status_code, "member of the organization already" in text(answer)) == (400, True)


def test_invitations_are_resent_and_revoked(browser: Client, organization: Organization) -> None:
    link = people(browser, organization, email="dora@example.com", role="viewer").context["link"]
    invitation = Invitation.objects.get()
    again = people(browser, organization, f"invitations/{invitation.pk}/resend/", x=1)
    assert again.context["link"] != link
    question = browser.get(at(organization, f"people/invitations/{invitation.pk}/revoke/"))
    assert f"Revoke the invitation of {invitation.email}?" in text(question)
    people(browser, organization, f"invitations/{invitation.pk}/revoke/", x=1)
    invitation.refresh_from_db()
    assert invitation.revoked_at
    assert people(browser, organization, f"invitations/{uuid4()}/revoke/", x=1).status_code == 404


def test_a_role_is_changed_and_the_last_owner_stays(
    browser: Client, alice: User, bob: User, organization: Organization
) -> None:
    answer = people(browser, organization, f"{bob.pk}/role/", role="admin")
    assert messages_of(answer) == [f"{bob.email} has the role Admin now."]
    assert Membership.objects.get(user=bob, organization=organization).role == "admin"
    last = "This is the last owner of the organization. Make someone else an owner first."
    assert messages_of(people(browser, organization, f"{alice.pk}/role/", role="viewer"))[-1].endswith(last)
    assert "You are the last owner." in text(people(browser, organization, f"{alice.pk}/remove/"))
    assert messages_of(people(browser, organization, f"{alice.pk}/remove/", api_keys="revoke"))[-1].endswith(last)
    assert Membership.objects.get(user=alice, organization=organization).role == "owner"
    assert people(browser, organization, f"{bob.pk}/role/", role="god").status_code == 404
    assert people(browser, organization, "123456789012345678901234/role/", role="viewer").status_code == 404


@pytest.mark.parametrize(("choice", "outcome"), [("revoke", "revoked"), ("hand_over", "alice")])
def test_who_is_removed_leaves_keys_that_are_listed(
    browser: Client, alice: User, bob: User, organization: Organization, choice: str, outcome: str
) -> None:
    people(browser, organization, f"{bob.pk}/role/", role="developer")
    key, _ = factories.key(organization, created_by=bob)
    assert key.public_id in text(people(browser, organization, f"{bob.pk}/remove/"))
    answer = people(browser, organization, f"{bob.pk}/remove/", api_keys=choice)
    assert "1 of their keys" in messages_of(answer)[0]
    key.refresh_from_db()
    assert ("revoked" if key.revoked_at else "alice") == outcome
    assert key.created_by == (alice if outcome == "alice" else bob)
    assert not Membership.objects.filter(user=bob, organization=organization).exists()


def test_a_viewer_sees_people_and_may_leave(alice: User, bob: User, organization: Organization) -> None:
    browser = signed_in(bob)
    page = text(people(browser, organization))
    assert ("Invite someone" in page, "Remove" in page, "Leave" in page) == (False, False, True)
    assert people(browser, organization, email="x@example.com", role="viewer").status_code == 403
    assert people(browser, organization, f"{alice.pk}/role/", role="viewer").status_code == 403
    assert people(browser, organization, f"{alice.pk}/remove/", api_keys="revoke").status_code == 403
    assert people(browser, organization, f"{bob.pk}/remove/", api_keys="revoke")["Location"] == "/organizations/"


def test_a_stranger_finds_nothing(charlie: User, alice: User, organization: Organization) -> None:
    for rest in ("", f"{alice.pk}/role/", f"{alice.pk}/remove/"):
        assert people(signed_in(charlie), organization, rest, role="viewer").status_code == 404


def test_who_removes_nobody_sees_no_keys_of_others(alice: User, bob: User, organization: Organization) -> None:
    Membership.objects.filter(user=bob).update(role="billing")
    factories.key(organization, created_by=alice)
    page = people(signed_in(bob), organization, f"{alice.pk}/remove/")
    assert (page.status_code, "Test key" in text(page)) == (403, False)
    assert people(signed_in(bob), organization, f"{bob.pk}/remove/").status_code == 200
