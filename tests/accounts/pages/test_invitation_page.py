"""The page that an invitation's link opens."""

import html
import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from accounts import invitations
from accounts.models import Invitation, Membership, Organization, User
from accounts.pages.invitations import token_in
from tests import factories
from tests.browser import at, messages_of, signed_in, text


@pytest.fixture
def link(api: Any, alice: User, charlie: User) -> str:
    """Of alice's invitation of charlie, as the email has it; without the server."""
    made = api(alice).post("/v1/invitations", {"email": charlie.email, "role": "developer"}).json()
    return str(made["accept_url"].removeprefix("http://localhost:8000"))


def accept(client: Client, link: str) -> Any:
    return client.post("/invitations/accept", {"token": link.partition("=")[2]})


def is_member(person: User, organization: Organization) -> bool:
    return Membership.objects.filter(user=person, organization=organization).exists()


def test_to_open_it_changes_nothing(link: str, charlie: User, organization: Organization) -> None:
    answer = signed_in(charlie).get(link)
    assert "Accept the invitation" in text(answer)
    assert "no-store" in answer["Cache-Control"]
    assert not is_member(charlie, organization)


def test_who_accepts_lands_in_the_organization(link: str, charlie: User, organization: Organization) -> None:
    answer = accept(signed_in(charlie), link)
    assert answer["Location"] == at(organization)
    assert Membership.objects.get(user=charlie, organization=organization).role == "developer"
    charlie.refresh_from_db()
    assert charlie.current_organization == organization


def test_a_visitor_is_led_to_sign_in_and_back(link: str, charlie: User, organization: Organization) -> None:
    visitor = Client()
    assert f"/accounts/login/?next={quote(link, safe='')}" in text(visitor.get(link))
    form_data = {"login": charlie.email, "password": factories.PASSWORD, "next": link}
    assert visitor.post("/accounts/login/", form_data)["Location"] == link
    assert accept(visitor, link).status_code == 302
    assert is_member(charlie, organization)


def test_a_visitor_does_not_accept(link: str, charlie: User, organization: Organization) -> None:
    assert "Sign in" in text(accept(Client(), link))
    assert not is_member(charlie, organization)


def test_another_person_is_told_whom_it_is_for(link: str, bob: User, charlie: User) -> None:
    page = text(signed_in(bob).get(link))
    assert "Accept the invitation" not in page
    assert charlie.email in page
    refused = accept(signed_in(bob), link)
    assert refused.status_code == 409
    assert "for another email address" in text(refused)
    assert Invitation.objects.get().accepted_at is None


def test_expired_it_says_so(link: str, charlie: User, organization: Organization) -> None:
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "has expired" in text(signed_in(charlie).get(link))
    assert accept(signed_in(charlie), link).status_code == 410
    assert not is_member(charlie, organization)


def test_revoked_it_says_so(link: str, charlie: User) -> None:
    invitations.withdraw(Invitation.objects.get())
    assert "was revoked" in text(signed_in(charlie).get(link))


@pytest.mark.parametrize("query", ["", "?token=", "?token=it_unknown", "?token=%00"])
def test_an_unknown_link_is_not_found(link: str, query: str) -> None:
    assert Client().get(f"/invitations/accept{query}").status_code == 404


def test_a_form_from_elsewhere_is_refused(link: str, charlie: User, organization: Organization) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(charlie)
    assert accept(client, link).status_code == 403
    assert not is_member(charlie, organization)


def test_it_says_who_invites_to_what(link: str, organization: Organization, charlie: User) -> None:
    page = text(Client().get(link))
    assert f"<strong>Alice</strong> invites <strong>{charlie.email}</strong>" in page
    assert f"<strong>{organization.name}</strong>, with the role <strong>Developer</strong>" in page


@pytest.fixture
def newcomer(api: Any, alice: User) -> str:
    """The token of alice's invitation of someone who has no account yet."""
    made = api(alice).post("/v1/invitations", {"email": "dora@example.com", "role": "developer"}).json()
    return str(made["accept_url"].partition("=")[2])


def sign_up(token: str, **fields: str) -> Any:
    form_data = {"name": "Dora", "email": "dora@example.com", "password1": factories.PASSWORD, "invitation": token}
    return Client().post("/accounts/signup/", {**form_data, **fields})


def test_a_newcomer_is_led_to_sign_up_and_gets_no_organization_of_their_own(
    newcomer: str, organization: Organization
) -> None:
    visitor = Client()
    assert f"/accounts/signup/?invitation={newcomer}" in text(visitor.get(f"/invitations/accept?token={newcomer}"))
    form = text(visitor.get(f"/accounts/signup/?invitation={newcomer}"))
    assert "<strong>Alice</strong> invites <strong>dora@example.com</strong>" in form
    assert "organization_name" not in form
    answer = sign_up(newcomer)
    assert answer.status_code == 302
    dora = User.objects.get(email="dora@example.com")
    assert list(Organization.objects.visible_to(dora)) == [organization]
    assert dora.current_organization == organization


def test_another_address_does_not_sign_up_with_it(newcomer: str) -> None:
    answer = sign_up(newcomer, email="eve@example.com")
    assert "for another email address" in text(answer)
    assert not User.objects.filter(email="eve@example.com").exists()


def test_with_an_invitation_that_is_over_one_signs_up_as_anyone(newcomer: str) -> None:
    invitation = Invitation.objects.get(email="dora@example.com")
    Invitation.objects.filter(pk=invitation.pk).update(revoked_at=timezone.now())
    assert "organization_name" in text(Client().get(f"/accounts/signup/?invitation={newcomer}"))
    sign_up(newcomer, organization_name="Dora's own")
    dora = User.objects.get(email="dora@example.com")
    assert Organization.objects.visible_to(dora).get().name == "Dora's own"


def test_an_invitation_that_can_not_be_accepted_any_more_makes_nobody(
    newcomer: str, alice: User, organization: Organization
) -> None:
    Membership.objects.filter(user=alice).delete()
    answer = sign_up(newcomer)
    assert answer["Location"] == "/accounts/signup/"
    assert "may no longer give this role" in messages_of(answer)[0]
    assert not User.objects.filter(email="dora@example.com").exists()


def test_a_newcomer_who_goes_through_the_sign_in_page_gets_no_organization_either(
    newcomer: str, organization: Organization
) -> None:
    visitor, here = Client(), f"/invitations/accept?token={newcomer}"
    door = text(visitor.get("/accounts/login/", {"next": here}))
    (address,) = re.findall(r'href="(/accounts/signup/[^"]*)"', door)
    form = text(visitor.get(html.unescape(address)))
    assert f'name="invitation" value="{newcomer}"' in form
    form_data = {"name": "Dora", "email": "dora@example.com", "password1": factories.PASSWORD, "invitation": newcomer}
    answer = visitor.post("/accounts/signup/", {**form_data, "next": here}, follow=True)
    assert answer.redirect_chain[-1][0] == at(organization)
    assert list(Organization.objects.visible_to(User.objects.get(email="dora@example.com"))) == [organization]


@pytest.mark.parametrize("address", ["/elsewhere?token=x", "https://evil.example/invitations/accept?token=x", ""])
def test_only_the_address_of_an_invitation_holds_its_token(address: str) -> None:
    assert token_in(address) == ""
