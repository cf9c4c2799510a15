"""/v1/invitations/accept: GET shows, only POST accepts, and only as the person who was invited."""

from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.utils import timezone

from accounts import accepting, invitations, people, scopes
from accounts.models import Invitation, Membership, Organization, SecurityPolicy, User
from accounts.models.invitations import InvitationQuerySet
from tests import factories
from tests.concurrency import race

PATH = "/v1/invitations/accept"


def invite(inviter: User, organization: Organization, email: str, role: str = "developer") -> str:
    """The token of a new invitation."""
    return invitations.token_of(factories.invitation(organization, email, role, by=inviter))


@pytest.fixture
def token(alice: User, charlie: User, organization: Organization) -> str:
    """Of alice's invitation of charlie, to her organization, as a developer."""
    return invite(alice, organization, charlie.email)


@pytest.fixture
def unaccepted(token: str, organization: Organization, charlie: User) -> Any:
    """Asserts at the end that charlie did not become a member and the invitation didn't change."""
    before = Invitation.objects.values().get()
    yield
    after = Invitation.objects.values().get()
    assert (after["accepted_at"], after["digest"]) == (before["accepted_at"], before["digest"])
    assert not Membership.objects.filter(organization=organization, user=charlie).exists()


def test_anyone_with_the_link_is_shown_what_it_is(
    anonymous: Any, token: str, charlie: User, organization: Organization, unaccepted: None
) -> None:
    answer = anonymous.get(f"{PATH}?token={token}")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    shown = answer.json()
    assert shown.pop("expires_at") > timezone.now().isoformat()
    assert shown == {
        "organization": {"id": organization.public_id, "name": organization.name},
        "inviter": "Alice",
        "email": charlie.email,
        "role": "developer",
        "status": "pending",
    }


def test_looking_is_limited_by_address(anonymous: Any, token: str, settings: Any) -> None:
    settings.ANONYMOUS_RATE_LIMIT = 2
    assert [anonymous.get(f"{PATH}?token={token}").status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(("query", "status"), [("", 400), ("?token=", 400), ("?token=it_unknown", 404)])
def test_without_the_token_nothing_is_shown(anonymous: Any, token: str, query: str, status: int) -> None:
    assert anonymous.get(f"{PATH}{query}").status_code == status


def test_the_invited_person_becomes_a_member(api: Any, token: str, charlie: User, organization: Organization) -> None:
    answer = api(charlie).post(PATH, {"token": token})
    assert (answer.status_code, answer.json()["status"]) == (200, "accepted")
    assert answer.json()["organization"]["id"] == organization.public_id
    assert Membership.objects.get(organization=organization, user=charlie).role == "developer"
    assert Invitation.objects.get().accepted_at


def test_after_it_one_can_switch_and_work(api: Any, token: str, charlie: User, organization: Organization) -> None:
    client = api(charlie)
    client.post(PATH, {"token": token})
    pair = client.post("/v1/auth/switch", {"organization": organization.public_id}).json()
    shown = api(pair["access"]).get("/v1/whoami").json()
    assert set(shown["scopes"]) == scopes.BY_ROLE["developer"]
    assert api(pair["access"]).post("/v1/account/api-keys", {"name": "x"}).status_code == 201


def test_the_case_of_the_address_does_not_matter(api: Any, anonymous: Any, alice: User, db: None) -> None:
    client = api(alice)
    client.post("/v1/invitations", {"email": "DORA@Example.com", "role": "viewer"})
    body = {"email": "dora@EXAMPLE.com", "password": factories.PASSWORD}
    dora = anonymous.post("/v1/auth/signup", body).json()
    secret = invitations.token_of(Invitation.objects.get())
    assert api(dora["access"]).post(PATH, {"token": secret}).status_code == 200


def test_another_person_does_not_accept_it(api: Any, token: str, bob: User, unaccepted: None) -> None:
    refused = api(bob).post(PATH, {"token": token})
    assert (refused.status_code, refused.json()["code"]) == (409, "invitation_email_mismatch")


def test_nobody_accepts_without_signing_in(anonymous: Any, token: str, unaccepted: None) -> None:
    assert anonymous.post(PATH, {"token": token}).status_code == 401


def test_a_key_does_not_accept_for_its_creator(api: Any, token: str, charlie: User, unaccepted: None) -> None:
    assert charlie.current_organization is not None
    _, secret = factories.key(charlie.current_organization, created_by=charlie, permissions=["members:write"])
    assert api(secret).post(PATH, {"token": token}).json()["code"] == "forbidden"


def test_expired_it_is_gone(api: Any, anonymous: Any, token: str, charlie: User, unaccepted: None) -> None:
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    refused = api(charlie).post(PATH, {"token": token})
    assert (refused.status_code, refused.json()["code"]) == (410, "invitation_expired")
    assert anonymous.get(f"{PATH}?token={token}").json()["status"] == "expired"


def test_revoked_it_is_gone(api: Any, token: str, charlie: User, unaccepted: None) -> None:
    invitations.withdraw(Invitation.objects.get())
    refused = api(charlie).post(PATH, {"token": token})
    assert (refused.status_code, refused.json()["code"]) == (410, "invitation_revoked")


def test_accepted_again_it_is_a_conflict(api: Any, token: str, charlie: User, organization: Organization) -> None:
    api(charlie).post(PATH, {"token": token})
    refused = api(charlie).post(PATH, {"token": token})
    assert (refused.status_code, refused.json()["code"]) == (409, "invitation_accepted")
    assert Membership.objects.filter(organization=organization, user=charlie).count() == 1


def test_with_an_idempotency_key_the_first_answer_comes_again(api: Any, token: str, charlie: User) -> None:
    first, again = [api(charlie).post(PATH, {"token": token}, idempotency_key="k") for _ in range(2)]
    assert (again.status_code, again.json()) == (200, first.json())


@pytest.mark.parametrize("body", [{}, {"token": None}, {"token": ""}, {"token": "x" * 101}, {"token": ["it_"]}])
def test_a_bad_token_is_named(api: Any, charlie: User, body: Any) -> None:
    refused = api(charlie).post(PATH, body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/token")


@pytest.mark.parametrize("token", ["it_" + "a" * 43, "7.5"])
def test_an_unknown_token_is_not_found(api: Any, charlie: User, token: str) -> None:
    assert api(charlie).post(PATH, {"token": token}).status_code == 404


@pytest.mark.parametrize("change", ["demoted", "removed", "deactivated", "deleted"])
def test_an_inviter_who_lost_the_right_gives_nothing(
    api: Any, alice: User, charlie: User, token: str, organization: Organization, change: str, unaccepted: None
) -> None:
    match change:
        case "demoted":
            Membership.objects.filter(user=alice).update(role="developer")
        case "removed":
            Membership.objects.filter(user=alice).delete()
        case "deactivated":
            User.objects.filter(pk=alice.pk).update(is_active=False)
        case "deleted":
            Invitation.objects.update(invited_by=None)
    refused = api(charlie).post(PATH, {"token": token})
    assert (refused.status_code, refused.json()["code"]) == (409, "inviter_lost_right")


def test_an_admin_who_was_an_owner_gives_no_ownership(
    api: Any, alice: User, charlie: User, organization: Organization
) -> None:
    secret = invite(alice, organization, charlie.email, "owner")
    Membership.objects.filter(user=alice).update(role="admin")
    assert api(charlie).post(PATH, {"token": secret}).json()["code"] == "inviter_lost_right"
    assert not Membership.objects.filter(organization=organization, user=charlie).exists()


def test_who_resends_it_vouches_for_it(
    api: Any, alice: User, bob: User, charlie: User, token: str, organization: Organization
) -> None:
    Membership.objects.filter(user=bob, organization=organization).update(role="owner")
    Membership.objects.filter(user=alice).delete()
    again = api(bob).post(f"/v1/invitations/{Invitation.objects.get().public_id}/resend").json()
    assert api(charlie).post(PATH, {"token": again["accept_url"].partition("=")[2]}).status_code == 200


def test_a_suspended_organization_takes_nobody_in(
    api: Any, charlie: User, token: str, organization: Organization, unaccepted: None
) -> None:
    Organization.objects.filter(pk=organization.pk).update(status="suspended")
    assert api(charlie).post(PATH, {"token": token}).status_code == 409


def test_a_policy_made_since_is_respected(
    api: Any, charlie: User, token: str, organization: Organization, unaccepted: None
) -> None:
    SecurityPolicy.objects.create(organization=organization, allowed_email_domains=["acme.test"])
    assert api(charlie).post(PATH, {"token": token}).json()["code"] == "email_domain_not_allowed"


def test_who_became_a_member_otherwise_keeps_their_role(
    api: Any, charlie: User, token: str, organization: Organization
) -> None:
    factories.join(charlie, organization, "viewer")
    assert api(charlie).post(PATH, {"token": token}).json()["code"] == "already_member"
    assert Membership.objects.get(organization=organization, user=charlie).role == "viewer"
    assert Invitation.objects.get().accepted_at is None


def test_the_other_organization_stays_current(api: Any, token: str, charlie: User) -> None:
    before = charlie.current_organization
    api(charlie).post(PATH, {"token": token})
    charlie.refresh_from_db()
    assert charlie.current_organization == before


def race_to_accept(count: int = 8) -> tuple[list[Any], Invitation]:
    alice, dora = factories.user("alice"), factories.user("dora")
    assert alice.current_organization is not None
    secret = invite(alice, alice.current_organization, dora.email)
    results = race([partial(accepting.accept, secret, user=dora)] * count)
    return results, accepting.find(secret)


def test_accepted_many_times_at_once_it_counts_once(committed: None) -> None:
    results, invitation = race_to_accept()
    assert sum(isinstance(result, Invitation) for result in results) == 1
    assert sum(isinstance(result, invitations.InvitationAccepted) for result in results) == 7
    assert Membership.objects.filter(organization=invitation.organization).count() == 2


def test_accepting_and_revoking_at_once_have_one_outcome(committed: None) -> None:
    for _ in range(5):
        alice, dora = factories.user("alice"), factories.user("dora")
        assert alice.current_organization is not None
        secret = invite(alice, alice.current_organization, dora.email)
        made = accepting.find(secret)
        race([partial(accepting.accept, secret, user=dora), partial(invitations.revoke, accepting.find(secret))])
        made.refresh_from_db()
        assert (made.accepted_at is None) != (made.revoked_at is None)
        joined = Membership.objects.filter(organization=made.organization, user=dora).exists()
        assert joined == bool(made.accepted_at)


def test_a_look_before_the_update_would_accept_what_was_revoked(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: the state is read, and then written without asking again."""
    looked, revoked = Barrier(2), Barrier(2)
    monkeypatch.setattr(InvitationQuerySet, "pending", lambda self, now: self)
    alice, dora = factories.user("alice"), factories.user("dora")
    assert alice.current_organization is not None
    secret = invite(alice, alice.current_organization, dora.email)

    def accept() -> None:
        assert accepting.find(secret).status(timezone.now()) == "pending"
        looked.wait(timeout=30)
        revoked.wait(timeout=30)
        accepting.accept(secret, user=dora)

    def revoke() -> None:
        looked.wait(timeout=30)
        invitations.withdraw(accepting.find(secret))
        revoked.wait(timeout=30)

    assert race([accept, revoke]) == [None, None]
    made = accepting.find(secret)
    assert made.accepted_at
    assert made.revoked_at


def test_a_child_takes_in_whom_its_parents_admin_invites(
    api: Any, alice: User, charlie: User, organization: Organization
) -> None:
    child = people.add_child(organization, name="Child")
    secret = invite(alice, child, charlie.email)
    assert api(charlie).post(PATH, {"token": secret}).status_code == 200
    assert list(Organization.objects.visible_to(charlie).filter(root=organization)) == [child]
