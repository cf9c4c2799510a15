"""The company's own backend makes customers, invites their people, and works in any organization that it names."""

from typing import Any

import pytest

from accounts import closing, invitations, people, scopes
from accounts.models import Event, Invitation, Membership, Organization, SecurityPolicy, User
from apikeys import keys
from tests import factories
from tests.conftest import Api

PATH = "/v1/organizations"
NEW = {"name": "Acme", "timezone": "Europe/Paris", "external_id": "customer-42"}
EMAIL = "ada@example.com"


def of(organization: Organization, path: str) -> str:
    return f"{path}?organization={organization.public_id}"


def only(*held: str) -> Api:
    """A platform key with these scopes alone."""
    return Api(keys.create_platform("backend", held)[1])


def refusal(answer: Any) -> tuple[int, str, str]:
    """The status, the code, and the first field that is named."""
    body = answer.json()
    return answer.status_code, body["code"], body.get("errors", [{"pointer": ""}])[0]["pointer"]


@pytest.fixture
def acme(backend: Api) -> Organization:
    """A customer that the backend made, with nobody in it."""
    made = backend.post(PATH, NEW).json()
    return Organization.objects.get(public_id=made["id"])


def test_a_customer_is_made_with_its_owner_invited_and_no_password(backend: Api, anonymous: Api) -> None:
    answer = backend.post(PATH, {**NEW, "owner_email": "Ada@Example.com"})
    made = answer.json()
    assert answer.status_code == 201
    assert made.keys() == {"id", "auth_id", "external_id", "name", "parent", "status", "timezone", "created_at"}
    assert (made["external_id"], made["name"], made["timezone"]) == ("customer-42", "Acme", "Europe/Paris")
    assert (made["parent"], made["auth_id"][:2]) == (None, "MA")
    invitation = Invitation.objects.get()
    assert (invitation.email, invitation.role, invitation.by_company) == (EMAIL, "owner", True)
    assert not User.objects.filter(email=EMAIL).exists()
    answer = anonymous.post(
        "/v1/auth/signup",
        {"email": EMAIL, "password": factories.PASSWORD, "invitation": invitations.token_of(invitation)},
    )
    assert answer.status_code == 201
    assert answer.json()["organization"]["id"] == made["id"]
    ada = User.objects.get(email=EMAIL)
    assert [(each.organization.public_id, each.role) for each in ada.memberships.all()] == [(made["id"], "owner")]


def test_its_events_name_the_platform_key(backend: Api) -> None:
    backend.post(PATH, {**NEW, "owner_email": EMAIL})
    created, invited = Event.objects.filter(organization__isnull=False).order_by("id")
    assert (created.type, invited.type) == ("organization.created", "invitation.created")
    key = Event.objects.get(type="api_key.created").data["api_key"]
    for event in (created, invited):
        assert event.actor == {"kind": "platform_key", "id": key}
        assert (event.context or {})["credential"] == "platform_key"


def test_a_retry_makes_nothing_twice(backend: Api) -> None:
    body = {"name": "Acme", "owner_email": EMAIL}
    first = backend.post(PATH, body, idempotency_key="sign-up-42")
    again = backend.post(PATH, body, idempotency_key="sign-up-42")
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    assert (Organization.objects.count(), Invitation.objects.count()) == (1, 1)


def test_an_external_id_is_given_once_and_finds_its_organization(backend: Api, acme: Organization) -> None:
    answer = backend.post(PATH, {**NEW, "owner_email": EMAIL})
    assert refusal(answer)[:2] == (409, "external_id_taken")
    assert answer.json()["organization"] == acme.public_id
    assert (Organization.objects.count(), Invitation.objects.count()) == (1, 0)
    results = backend.get(f"{PATH}?external_id=customer-42").json()["results"]
    assert [each["id"] for each in results] == [acme.public_id]
    other = backend.post(PATH, {"name": "Other"}).json()["id"]
    changed = backend.patch(f"{PATH}/{other}", {"external_id": "customer-42", "name": "Changed"})
    assert refusal(changed)[:2] == (409, "external_id_taken")
    assert Organization.objects.get(public_id=other).name == "Other"
    assert backend.patch(f"{PATH}/{other}", {"external_id": "customer-43"}).json()["external_id"] == "customer-43"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", None),
        ("timezone", "Mars/Olympus"),
        ("external_id", "x" * 101),
        ("external_id", "a\nb"),
        ("external_id", "a\0b"),
        ("owner_email", "nobody"),
        ("owner_email", ""),
    ],
)
def test_bad_input_names_the_field_and_makes_nothing(backend: Api, field: str, value: Any) -> None:
    assert refusal(backend.post(PATH, {**NEW, field: value})) == (400, "invalid", f"/{field}")
    assert (Organization.objects.count(), Invitation.objects.count()) == (0, 0)


@pytest.mark.parametrize(("field", "value"), [("external_id", "customer-42"), ("owner_email", EMAIL)])
def test_customers_set_neither_of_the_companys_fields(api: Any, alice: User, field: str, value: str) -> None:
    before = Organization.objects.count()
    assert refusal(api(alice).post(PATH, {"name": "Child", field: value})) == (400, "invalid", f"/{field}")
    assert Organization.objects.count() == before


def test_a_child_is_made_beneath_the_organization_that_is_named(backend: Api, acme: Organization) -> None:
    child = backend.post(of(acme, PATH), {"name": "Europe"}).json()
    assert (child["parent"], child["timezone"]) == (acme.public_id, "Europe/Paris")
    shown = backend.get(of(acme, PATH)).json()["results"]
    assert [each["id"] for each in shown] == [acme.public_id, child["id"]]


def test_inviting_an_owner_takes_the_scope(db: None) -> None:
    client = only("account:write", "provisioning:write")
    assert refusal(client.post(PATH, {**NEW, "owner_email": EMAIL}))[:2] == (403, "insufficient_scope")
    assert not Organization.objects.exists()
    assert client.post(PATH, NEW).status_code == 201


def test_reading_does_not_let_write_and_one_scope_is_not_enough(organization: Organization, bob: User) -> None:
    reader = only("members:read", "members:write", "provisioning:read")
    assert reader.get(of(organization, "/v1/members")).status_code == 200
    for answer in (
        reader.patch(of(organization, f"/v1/members/{bob.pk}"), {"role": "owner"}),
        reader.delete(of(organization, f"/v1/members/{bob.pk}")),
        reader.post(of(organization, "/v1/invitations"), {"email": EMAIL, "role": "viewer"}),
    ):
        assert refusal(answer)[:2] == (403, "insufficient_scope")
        assert answer.json()["required_scopes"] == ["provisioning:write"]
    assert Membership.objects.get(user=bob, organization=organization).role == "viewer"


def test_the_people_of_any_organization_are_managed(backend: Api, organization: Organization, bob: User) -> None:
    member = of(organization, f"/v1/members/{bob.pk}")
    assert backend.patch(member, {"role": "admin"}).json()["role"] == "admin"
    hand_over = backend.delete(f"{member}&api_keys=hand_over")
    assert refusal(hand_over) == (400, "invalid", "/api_keys")
    assert backend.delete(member).status_code == 204
    assert Event.objects.get(type="member.removed", actor__kind="platform_key").organization == organization


def test_the_last_owner_stays(backend: Api, organization: Organization, alice: User) -> None:
    assert refusal(backend.delete(of(organization, f"/v1/members/{alice.pk}")))[:2] == (409, "last_owner")


def test_an_invitation_has_no_inviter_and_can_be_accepted(backend: Api, organization: Organization, api: Any) -> None:
    dora = factories.user("dora")
    made = backend.post(of(organization, "/v1/invitations"), {"email": dora.email, "role": "admin"}).json()
    token = made["accept_url"].partition("?token=")[2]
    assert made["invited_by"] is None
    assert api("").get(f"/v1/invitations/accept?token={token}").json()["inviter"] is None
    assert api(dora).post("/v1/invitations/accept", {"token": token}).status_code == 200
    assert organization.roles_of(dora) == {"admin"}


def test_whoever_sends_it_again_vouches_for_it(backend: Api, organization: Organization, api: Any, alice: User) -> None:
    made = backend.post(of(organization, "/v1/invitations"), {"email": EMAIL, "role": "admin"}).json()
    assert api(alice).post(f"/v1/invitations/{made['id']}/resend").status_code == 200
    invitation = Invitation.objects.get()
    assert (invitation.invited_by, invitation.by_company) == (alice, False)
    backend.post(of(organization, f"/v1/invitations/{made['id']}/resend"))
    invitation.refresh_from_db()
    assert (invitation.invited_by, invitation.by_company) == (None, True)


def test_the_organizations_domains_bind_the_company_and_its_networks_dont(
    backend: Api, organization: Organization
) -> None:
    domains, networks = ["acme.example"], ["192.0.2.0/24"]
    SecurityPolicy.objects.create(
        organization=organization, allowed_email_domains=domains, allowed_networks=networks, require_two_factor=True
    )
    path = of(organization, "/v1/invitations")
    refused = backend.post(path, {"email": EMAIL, "role": "viewer"})
    assert refusal(refused) == (409, "email_domain_not_allowed", "/email")
    assert backend.post(path, {"email": "ada@acme.example", "role": "viewer"}).status_code == 201


def test_no_platform_key_touches_the_security_policy(backend: Api, organization: Organization) -> None:
    path = of(organization, "/v1/account/security")
    for answer in (backend.get(path), backend.patch(path, {"require_two_factor": True})):
        assert (refusal(answer)[:2], answer.json()["required_scopes"][0][:9]) == (
            (403, "insufficient_scope"),
            "security:",
        )


def test_a_suspension_does_not_bind_the_company(backend: Api, organization: Organization) -> None:
    assert backend.post(f"{PATH}/{organization.public_id}/suspend").status_code == 200
    assert backend.patch(f"{PATH}/{organization.public_id}", {"name": "Renamed"}).json()["name"] == "Renamed"
    path = of(organization, "/v1/invitations")
    assert backend.post(path, {"email": EMAIL, "role": "viewer"}).status_code == 201


def test_nothing_changes_in_a_closed_organization_or_beneath_it(backend: Api, acme: Organization) -> None:
    child = people.add_child(acme, name="Europe")
    closing.close(acme, acme.created_at)
    for closed in (acme, child):
        for answer in (
            backend.post(of(closed, "/v1/invitations"), {"email": EMAIL, "role": "viewer"}),
            backend.patch(f"{PATH}/{closed.public_id}", {"name": "Renamed"}),
            backend.post(of(closed, PATH), {"name": "Child"}),
        ):
            assert refusal(answer)[:2] == (409, "organization_closed")
        assert backend.get(of(closed, "/v1/invitations")).status_code == 200
    assert not Invitation.objects.exists()


def test_a_name_that_no_organization_has(backend: Api, api: Any, alice: User, charlie: User) -> None:
    theirs = charlie.current_organization
    assert theirs
    for client, name in (
        (backend, "acct_0000000000000000"),
        (api(alice), "acct_0000000000000000"),
        (api(alice), theirs.public_id),
    ):
        answer = client.get(f"/v1/members?organization={name}")
        assert (refusal(answer)[:2], answer.json()["detail"]) == ((404, "not_found"), "There is no such organization.")
    assert refusal(backend.get("/v1/members?organization=a%00b")) == (400, "invalid", "/organization")
    assert refusal(backend.get("/v1/members?organization=")) == (400, "invalid", "/organization")


def test_a_body_and_the_query_string_name_the_same_one(backend: Api, acme: Organization) -> None:
    grants = of(acme, "/v1/credits/grants")
    assert backend.post(grants, {"amount": 5}).status_code == 201
    assert backend.post(grants, {"amount": 5, "organization": acme.public_id}).status_code == 201
    other = factories.organization()
    answer = backend.post(grants, {"amount": 5, "organization": other.public_id})
    assert refusal(answer) == (400, "invalid", "/organization")
    assert refusal(backend.post("/v1/credits/grants", {"amount": 5})) == (400, "invalid", "/organization")


def test_whoami_says_which_scopes_need_another(db: None) -> None:
    client = only("members:read", "members:write", "credits:read", "provisioning:read")
    refused = {each["scope"]: each["reason"] for each in client.get("/v1/whoami").json()["refused"]}
    assert refused["members:write"] == "provisioning_required"
    assert {"members:read", "credits:read", "provisioning:read"}.isdisjoint(refused)
    assert refused["provisioning:write"] == "not_granted_to_credential"
    assert refused["security:read"] == "organization_required"


def test_no_role_and_no_customers_key_provisions(api: Any, alice: User, organization: Organization) -> None:
    assert scopes.of_roles(scopes.BY_ROLE).isdisjoint(scopes.OF_COMPANY)
    body = {"name": "Key", "permissions": ["provisioning:write"]}
    assert refusal(api(alice).post("/v1/account/api-keys", body)) == (400, "invalid", "/permissions")


def test_what_is_a_persons_own_stays_theirs(backend: Api, organization: Organization) -> None:
    for path in ("/v1/me/sessions", "/v1/me/exports"):
        assert backend.get(path).status_code == 403
        assert refusal(backend.get(of(organization, path))) == (400, "invalid", "/organization")
    assert backend.post("/v1/auth/switch", {"organization": organization.public_id}).status_code == 403
    assert backend.post("/v1/invitations/accept", {"token": "it_x"}).status_code == 403
