"""/v1/invitations: an email address is invited to a role, and by whom."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from accounts import accepting, invitations, people, scopes
from accounts.credentials import Credential, Kind
from accounts.models import Invitation, Membership, Organization, SecurityPolicy, User
from tests import factories
from tests.concurrency import race
from tests.leaks import tables_with

PATH = "/v1/invitations"
EMAIL = "dora@example.com"


def invited(client: Any, email: str = EMAIL, role: str = "developer", **headers: str) -> Any:
    return client.post(PATH, {"email": email, "role": role}, **headers)


def expire(**which: Any) -> None:
    Invitation.objects.filter(**which).update(expires_at=timezone.now() - timedelta(seconds=1))


def token(answer: Any) -> str:
    return str(answer.json()["accept_url"].partition("?token=")[2])


def test_it_is_made_and_answered(api: Any, alice: User) -> None:
    response = invited(api(alice))
    assert response.status_code == 201
    made = response.json()
    assert made.pop("accept_url").startswith("http://localhost:8000/invitations/accept?token=it_")
    row = Invitation.objects.get()
    assert made.keys() == {"id", "email", "role", "status", "invited_by", "expires_at", "created_at"}
    assert (made["id"], made["email"], made["role"]) == (row.public_id, EMAIL, "developer")
    assert (made["status"], made["invited_by"]) == ("pending", alice.pk)
    assert row.expires_at - row.created_at == timedelta(days=7)


def test_the_address_is_kept_in_lower_case(api: Any, alice: User) -> None:
    assert invited(api(alice), "Dora@Example.COM").json()["email"] == EMAIL


def test_its_token_is_nowhere_in_the_database(api: Any, alice: User) -> None:
    secret = token(invited(api(alice), idempotency_key="once"))
    assert tables_with(EMAIL)
    assert not tables_with(secret)


def test_a_replay_has_no_link_and_makes_no_second(api: Any, alice: User) -> None:
    first = invited(api(alice), idempotency_key="once").json()
    again = invited(api(alice), idempotency_key="once")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == {**first, "accept_url": None}
    assert Invitation.objects.count() == 1


def test_neither_the_list_nor_the_row_shows_the_link(api: Any, alice: User) -> None:
    made = invited(api(alice)).json()
    for answer in (api(alice).get(PATH), api(alice).get(f"{PATH}/{made['id']}")):
        assert answer.status_code == 200
        assert "token" not in answer.content.decode()
        assert "accept_url" not in answer.content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", ""),
        ("email", None),
        ("email", f"{'a' * 250}@example.com"),
        ("email", "a@example.com\nBcc: b@example.com"),
        ("role", "king"),
        ("role", None),
        ("role", []),
    ],
)
def test_a_bad_field_is_named_and_nobody_is_invited(api: Any, alice: User, field: str, value: Any) -> None:
    refused = api(alice).post(PATH, {"email": EMAIL, "role": "viewer", field: value})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, f"/{field}")
    assert not Invitation.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "developer", "billing"])
def test_only_who_administers_members_may_invite(api: Any, bob: User, organization: Organization, role: str) -> None:
    Membership.objects.filter(user=bob, organization=organization).update(role=role)
    assert invited(api(bob), role="viewer").json()["code"] == "insufficient_scope"
    assert not Invitation.objects.exists()


def test_an_admin_invites_no_owner(api: Any, bob: User, organization: Organization) -> None:
    Membership.objects.filter(user=bob, organization=organization).update(role="admin")
    refused = invited(api(bob), role="owner")
    assert (refused.status_code, refused.json()["code"]) == (403, "above_own_role")
    assert invited(api(bob), role="admin").status_code == 201


def test_a_pending_one_for_the_same_address_is_a_conflict(api: Any, alice: User) -> None:
    invited(api(alice))
    refused = invited(api(alice), EMAIL.upper())
    assert (refused.status_code, refused.json()["code"]) == (409, "invitation_pending")
    assert Invitation.objects.count() == 1


def test_another_organization_may_invite_the_same_address(api: Any, alice: User, charlie: User) -> None:
    assert [invited(api(who)).status_code for who in (alice, charlie)] == [201, 201]


def test_an_expired_one_is_no_obstacle(api: Any, alice: User) -> None:
    first = invited(api(alice)).json()
    expire()
    assert invited(api(alice)).status_code == 201
    assert api(alice).get(f"{PATH}/{first['id']}").json()["status"] == "expired"


def test_a_revoked_one_is_no_obstacle(api: Any, alice: User) -> None:
    first = invited(api(alice)).json()
    assert api(alice).delete(f"{PATH}/{first['id']}").status_code == 204
    assert invited(api(alice)).status_code == 201
    assert api(alice).get(f"{PATH}/{first['id']}").json()["status"] == "revoked"


def test_a_member_is_not_invited(api: Any, alice: User, bob: User) -> None:
    refused = invited(api(alice), bob.email)
    assert (refused.status_code, refused.json()["code"]) == (409, "already_member")


def test_who_has_a_role_from_above_may_be_given_one_here(
    api: Any, alice: User, bob: User, organization: Organization
) -> None:
    people.switch(alice, people.add_child(organization, name="Child"))
    assert invited(api(alice), bob.email).status_code == 201


def test_a_domain_that_an_ancestor_does_not_admit_is_not_invited(
    api: Any, alice: User, organization: Organization
) -> None:
    SecurityPolicy.objects.create(organization=organization, allowed_email_domains=["example.com"])
    people.switch(alice, people.add_child(organization, name="Child"))
    refused = invited(api(alice), "dora@sub.example.com")
    assert (refused.status_code, refused.json()["code"]) == (409, "email_domain_not_allowed")
    assert invited(api(alice)).status_code == 201


@pytest.mark.parametrize("status", ["pending", "accepted", "revoked", "expired"])
def test_the_list_can_be_narrowed_to_a_status(api: Any, alice: User, organization: Organization, status: str) -> None:
    for name in ("pending", "accepted", "revoked", "expired", "lapsed"):
        invited(api(alice), f"{name}@example.com")
    now = timezone.now()
    Invitation.objects.filter(email__startswith="accepted").update(accepted_at=now)
    Invitation.objects.filter(email__startswith="revoked").update(revoked_at=now)
    expire(email__startswith="expired")
    expire(email__startswith="lapsed")
    invited(api(alice), "lapsed@example.com")  # in the place of the expired one
    listed = api(alice).get(f"{PATH}?status={status}").json()["results"]
    assert {row["status"] for row in listed} == {status}
    assert len(listed) == {"pending": 2, "expired": 2}.get(status, 1)


def test_a_stranger_sees_and_changes_nothing(api: Any, alice: User, charlie: User) -> None:
    path = f"{PATH}/{invited(api(alice)).json()['id']}"
    assert api(charlie).get(PATH).json()["count"] == 0
    unknown = api(charlie).get(f"{PATH}/inv_{'0' * 32}", x_request_id="one")
    assert api(charlie).get(path, x_request_id="one").content == unknown.content
    assert [api(charlie).delete(path).status_code, api(charlie).post(f"{path}/resend").status_code] == [404, 404]
    assert Invitation.objects.get().status(timezone.now()) == "pending"


def test_a_viewer_sees_them_and_changes_nothing(api: Any, alice: User, bob: User) -> None:
    path = f"{PATH}/{invited(api(alice)).json()['id']}"
    assert api(bob).get(path).status_code == 200
    assert [api(bob).delete(path).status_code, api(bob).post(f"{path}/resend").status_code] == [403, 403]
    assert Invitation.objects.get().revoked_at is None


def test_revoking_again_changes_nothing(api: Any, alice: User) -> None:
    path = f"{PATH}/{invited(api(alice)).json()['id']}"
    api(alice).delete(path)
    first = Invitation.objects.get().revoked_at
    assert api(alice).delete(path).status_code == 204
    assert Invitation.objects.get().revoked_at == first


def test_what_was_accepted_is_not_revoked(api: Any, alice: User) -> None:
    path = f"{PATH}/{invited(api(alice)).json()['id']}"
    Invitation.objects.update(accepted_at=timezone.now())
    assert api(alice).delete(path).json()["code"] == "invitation_accepted"
    assert Invitation.objects.get().revoked_at is None


def test_resending_makes_a_new_link_and_a_new_week_of_the_same_row(api: Any, alice: User) -> None:
    first = invited(api(alice))
    expire()
    again = api(alice).post(f"{PATH}/{first.json()['id']}/resend")
    assert (again.status_code, again.json()["status"]) == (200, "pending")
    assert again.json()["id"] == first.json()["id"]
    assert token(again) != token(first)
    row = Invitation.objects.get()
    assert row.expires_at > timezone.now() + timedelta(days=6)


def test_the_link_before_is_good_for_nothing(api: Any, anonymous: Any, alice: User) -> None:
    first = invited(api(alice))
    again = api(alice).post(f"{PATH}/{first.json()['id']}/resend")
    assert anonymous.get(f"{PATH}/accept?token={token(first)}").status_code == 404
    assert anonymous.get(f"{PATH}/accept?token={token(again)}").status_code == 200


def test_a_replay_of_a_resending_has_no_link(api: Any, alice: User) -> None:
    path = f"{PATH}/{invited(api(alice)).json()['id']}/resend"
    assert api(alice).post(path, {}, idempotency_key="k").json()["accept_url"]
    assert api(alice).post(path, {}, idempotency_key="k").json()["accept_url"] is None


@pytest.mark.parametrize("state", ["accepted_at", "revoked_at"])
def test_what_is_over_is_not_resent(api: Any, alice: User, state: str) -> None:
    path = f"{PATH}/{invited(api(alice)).json()['id']}/resend"
    Invitation.objects.update(**{state: timezone.now()})
    before = Invitation.objects.values().get()
    assert api(alice).post(path).status_code == 409
    assert Invitation.objects.values().get() == before


def test_an_admin_does_not_resend_an_invitation_to_own(
    api: Any, alice: User, bob: User, organization: Organization
) -> None:
    path = f"{PATH}/{invited(api(alice), role='owner').json()['id']}/resend"
    Membership.objects.filter(user=bob, organization=organization).update(role="admin")
    assert api(bob).post(path).json()["code"] == "above_own_role"


def test_one_address_gets_so_many_emails_an_hour(api: Any, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "AN_ADDRESS_AN_HOUR", 2)
    first = invited(api(alice))
    assert first.status_code == 201, first.json()
    path = f"{PATH}/{first.json()['id']}/resend"
    assert api(alice).post(path).status_code == 200
    before = Invitation.objects.values().get()
    refused = api(alice).post(path)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["Retry-After"] == "3600"
    assert Invitation.objects.values().get() == before
    assert invited(api(alice), "another@example.com").status_code == 201


def test_one_organization_sends_so_many_emails_an_hour(
    api: Any, alice: User, charlie: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "AN_ORGANIZATION_AN_HOUR", 2)
    client = api(alice)
    assert [invited(client, f"{n}@example.com").status_code for n in range(3)] == [201, 201, 429]
    assert Invitation.objects.count() == 2
    assert invited(api(charlie)).status_code == 201


def test_of_many_invitations_of_one_address_at_once_one_is_made(committed: None) -> None:
    alice = factories.user("alice")
    organization = alice.current_organization
    assert organization is not None
    held = scopes.BY_ROLE["owner"]
    by = Credential(Kind.TOKEN, "user", alice, organization, "UTC", cap=held, held=held)
    results = race([partial(invitations.invite, organization, email=EMAIL, role="viewer", by=by)] * 8)
    assert sum(isinstance(result, invitations.InvitationPending) for result in results) == 7
    assert Invitation.objects.of(organization).count() == 1


def test_the_address_is_spared_by_all_organizations_together(
    api: Any, alice: User, charlie: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "AN_ADDRESS_AN_HOUR", 1)
    assert invited(api(alice), "victim@example.com").status_code == 201
    assert invited(api(charlie), "victim@example.com").status_code == 429
    assert Invitation.objects.filter(email="victim@example.com").count() == 1


def test_an_invitation_that_is_refused_counts_for_nothing(
    api: Any, alice: User, charlie: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "AN_ADDRESS_AN_HOUR", 2)
    assert [invited(api(alice), "x@example.com").status_code for _ in range(4)] == [201, 409, 409, 409]
    assert invited(api(charlie), "x@example.com").status_code == 201


@pytest.mark.parametrize("email", ["a@\u1c89.com", "\u1c89@example.com", "a@\u2603.example"])
def test_an_address_without_a_normal_form_is_named(api: Any, alice: User, email: str) -> None:
    refused = invited(api(alice), email)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/email")


def test_one_mailbox_is_invited_once_however_its_domain_is_written(api: Any, alice: User) -> None:
    assert invited(api(alice), "a@bücher.example").json()["email"] == "a@xn--bcher-kva.example"
    assert invited(api(alice), "A@xn--bcher-kva.example").json()["code"] == "invitation_pending"


def test_the_company_invites_an_owner_to_an_organization_without_people(db: None) -> None:
    empty, ann = Organization.objects.create_root(name="Moved"), factories.user("ann")
    invitation = invitations.invite_for_company(empty, email=ann.email, role="owner")
    with pytest.raises(invitations.InvitationPending):
        invitations.invite_for_company(empty, email=ann.email, role="owner")

    accepting.accept(invitations.token_of(invitation), user=ann)

    assert Membership.objects.get(organization=empty, user=ann).role == "owner"
    with pytest.raises(invitations.AlreadyMember):
        invitations.invite_for_company(empty, email=ann.email, role="viewer")


def test_the_company_invites_nobody_into_what_is_suspended_meanwhile(db: None) -> None:
    empty, ann = Organization.objects.create_root(name="Moved"), factories.user("ann")
    invitation = invitations.invite_for_company(empty, email=ann.email, role="owner")
    Organization.objects.filter(pk=empty.pk).update(status="suspended", suspended_for=["manual"])
    with pytest.raises(accepting.InviterLostRight):
        accepting.accept(invitations.token_of(invitation), user=ann)
