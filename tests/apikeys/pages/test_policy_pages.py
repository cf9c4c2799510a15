"""The pages of the security policy and of service accounts."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import people, security
from accounts.models import Membership, Organization, SecurityPolicy, ServiceAccount, User
from apikeys.models import ApiKey
from tests import factories
from tests.factories import _credential as credential

EMPTY = {"allowed_networks": "", "allowed_email_domains": "", "longest_session_hours": "", "longest_key_life_days": ""}


@pytest.fixture
def page(client: Client, alice: User, organization: Organization) -> Any:
    client.post("/accounts/login/", {"login": alice.email, "password": factories.PASSWORD})
    path = f"/o/{organization.public_id}/security/"
    return lambda form=None: client.get(path) if form is None else client.post(path, {**EMPTY, **form})


def test_a_change_that_stops_nobody_is_saved_at_once(page: Any, organization: Organization) -> None:
    answer = page({"longest_session_hours": "24", "allowed_networks": "127.0.0.0/8\n 127.0.0.0/8 "})
    assert answer.status_code == 302
    policy = SecurityPolicy.objects.get(organization=organization)
    assert (policy.longest_session_hours, policy.allowed_networks) == (24, ["127.0.0.0/8"])
    text = page().content.decode()
    assert "127.0.0.0/8" in text
    assert page({"allowed_networks": "nonsense"}).status_code == 400
    assert SecurityPolicy.objects.get(organization=organization).longest_session_hours == 24


def test_a_change_that_stops_people_names_them_first(page: Any, bob: User, organization: Organization) -> None:
    key, _ = factories.key(organization, created_by=bob)
    factories.invitation(organization, "new@elsewhere.example", by=User.objects.get(memberships__role="owner",
                         memberships__organization=organization))  # fmt: skip
    form = {"require_two_factor": "on", "allowed_email_domains": "example.com", "longest_key_life_days": "30"}
    text = page(form).content.decode()
    for concerned in ("Nothing is saved yet", bob.email, key.public_id, "new@elsewhere.example", "live longer"):
        assert concerned in text, concerned
    assert not SecurityPolicy.objects.filter(organization=organization).exists()
    answer = page({**form, "confirmed": "something else"})
    assert "Nothing is saved yet" in answer.content.decode()
    answer = page({**form, "confirmed": answer.context["fingerprint"]})
    assert (answer.status_code, "You have not signed in with a second factor" in answer.content.decode()) == (409, True)
    assert not SecurityPolicy.objects.filter(organization=organization, require_two_factor=True).exists()
    del form["require_two_factor"]
    assert page({**form, "confirmed": page(form).context["fingerprint"]}).status_code == 302


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"allowed_networks": "10.0.0.0/8"}, "is in none of these networks"),
        ({"sign_in_methods": "passkey"}, "by another method"),
    ],
)
def test_nobody_locks_themselves_out(page: Any, organization: Organization, form: Any, words: str) -> None:
    shown = page(form)
    assert "Nothing is saved yet" in shown.content.decode()
    answer = page({**form, "confirmed": shown.context["fingerprint"]})
    assert (answer.status_code, words in answer.content.decode()) == (409, True)
    assert not SecurityPolicy.objects.filter(organization=organization).exclude(allowed_networks=[]).exists()


def test_what_is_inherited_is_shown_and_counts(
    client: Client, alice: User, bob: User, organization: Organization
) -> None:
    child = people.add_child(organization, name="Child")
    SecurityPolicy.objects.create(organization=organization, longest_key_life_days=90)
    Membership.objects.create(user=bob, organization=child, role="admin")
    for person, name in ((alice, f"From {organization.name}, above"), (bob, f"From {organization.name}, above")):
        browser = Client()
        browser.force_login(person)
        text = browser.get(f"/o/{child.public_id}/security/").content.decode()
        assert name in text
        assert "live 90 days at most" in text
    outsider = factories.user("outsider")
    Membership.objects.create(user=outsider, organization=child, role="admin")
    browser = Client()
    browser.force_login(outsider)
    text = browser.get(f"/o/{child.public_id}/security/").content.decode()
    assert "From an organization above" in text
    assert f"From {organization.name}" not in text
    assert security.effective(child).longest_key_life


def test_a_viewer_sees_no_policy_and_a_stranger_no_organization(
    bob: User, charlie: User, organization: Organization
) -> None:
    for person, status in ((bob, 403), (charlie, 404)):
        browser = Client()
        browser.force_login(person)
        for path in ("security/", "exports/"):
            assert browser.get(f"/o/{organization.public_id}/{path}").status_code == status


def test_service_accounts_are_made_get_keys_and_are_removed(
    client: Client, alice: User, bob: User, organization: Organization
) -> None:
    client.force_login(alice)
    path = f"/o/{organization.public_id}/people/service-accounts/"
    assert "No service accounts" in client.get(path).content.decode()
    form = {"name": "Deployment", "role": "developer", "responsible": bob.pk}
    assert client.post(path, {**form, "role": "owner"}).status_code == 400
    assert client.post(path, form).status_code == 302
    account = ServiceAccount.objects.of(organization).get()
    assert account.responsible == bob
    create = f"/o/{organization.public_id}/keys/new/?for={account.public_id}"
    shown = client.get(create)
    assert "Deployment" in shown.content.decode()
    assert "billing:write" not in shown.content.decode()  # a developer doesn't hold it
    made = client.post(
        create,
        {"id": shown.context["form"].initial.get("id") or shown.context["form"]["id"].value(), "name": "CI",
         "environment": "live", "scopes": ["usage:read"]},
    )  # fmt: skip
    assert made.status_code == 201, made.context["form"].errors
    key = ApiKey.objects.of(organization).get(name="CI")
    assert key.created_by == account.user
    assert client.get(f"{create}0").status_code == 404
    listed = client.get(path).content.decode()
    assert "CI" in listed
    remove = f"{path}{account.pk}/remove/"
    assert key.public_id in client.get(remove).content.decode()
    assert client.post(remove).status_code == 302
    key.refresh_from_db()
    assert key.revoked_at
    assert client.get(remove).status_code == 404


def test_removing_a_person_says_what_becomes_of_keys_and_service_accounts(
    client: Client, alice: User, bob: User, organization: Organization
) -> None:
    from accounts import service_accounts

    service_accounts.create(
        organization, name="Nightly", role="viewer", responsible=bob.pk, by=credential(organization, alice),
        now=timezone.now(),
    )  # fmt: skip
    key, _ = factories.key(organization, created_by=bob)
    client.force_login(alice)
    text = client.get(f"/o/{organization.public_id}/people/{bob.pk}/remove/").content.decode()
    assert key.public_id in text
    assert "Nightly" in text
    assert "You become responsible" in text
