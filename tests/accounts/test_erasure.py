"""A person is erased: nothing says who they were, and ledger, papers and the chain of events stay valid."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone
from tollgate_client.__main__ import main

from accounts import erasure, people, service_accounts
from accounts.events import publication
from accounts.models import (
    BrowserSession,
    Email,
    Event,
    Invitation,
    KnownNetwork,
    Membership,
    Organization,
    PersonalData,
    ServiceAccount,
    TokenFamily,
    User,
)
from accounts.webhooks import outbox
from apikeys import departures
from tests import factories
from tests.conftest import Api
from tests.factories import _credential as credential
from tests.leaks import tables_with
from usage.storage import reconciliation

ApiOf = Callable[[Any], Api]
AGENT = "Mozilla/5.0 (Windows) Firefox/145.0 marked-agent"
ADDRESS = "203.0.113.77"


@pytest.fixture
def dave(organization: Organization, alice: User) -> User:
    """Came by an invitation, signed in, made a key, posted to the ledger. He owns nothing."""
    dave = User(email=f"{factories.unique('dave')}@example.com", name="Dave Marked")
    dave.set_password(factories.PASSWORD)
    people.register(dave)
    invitation = factories.invitation(organization, dave.email, "admin", by=alice)
    Membership.objects.create(user=dave, organization=organization, role="admin")
    Invitation.objects.filter(pk=invitation.pk).update(accepted_at=timezone.now())
    people.switch(dave, organization)
    return dave


def act(dave: User, organization: Organization, api: ApiOf) -> str:
    """Leaves traces of all kinds; returns the id of a key that he made."""
    browser = Client(headers={"user-agent": AGENT}, REMOTE_ADDR=ADDRESS)
    assert browser.post("/accounts/login/", {"login": dave.email, "password": factories.PASSWORD}).status_code == 302
    browser.get("/profile/")
    made = api(dave).post("/v1/account/api-keys", {"name": "Dave's"}, user_agent=AGENT).json()
    KnownNetwork.objects.get_or_create(user=dave, network=ADDRESS, defaults={"last_at": timezone.now()})
    Authenticator.objects.create(user=dave, type="totp", data={"secret": "sealed"})
    api(dave).patch(f"/v1/organizations/{organization.public_id}", {"name": "Acme"})
    factories.credit(organization, 5)
    publication.publish_due(outbox.fan_out)
    return str(made["key_id"])


def test_nothing_says_who_they_were(api: ApiOf, dave: User, organization: Organization) -> None:
    key, email, id = act(dave, organization, api), dave.email, dave.pk
    assert {"accounts_user", "accounts_invitation"} <= set(tables_with(email))
    assert tables_with("marked-agent")
    departures.erase(dave, timezone.now())
    for trace in (email, "Dave Marked", "marked-agent"):
        assert tables_with(trace) == [], trace
    assert tables_with(ADDRESS) in ([], ["accounts_signinfailures"])  # how many failed from there, of all accounts
    dave.refresh_from_db()
    assert (dave.name, dave.email, dave.is_active) == ("Former member", f"{id}@former.invalid", False)
    assert not dave.has_usable_password()
    of_a_person: Any = (TokenFamily, BrowserSession, KnownNetwork, Authenticator, Membership)
    for model in of_a_person:
        assert not model.objects.filter(user=dave).exists()
    assert Event.objects.of(organization).filter(actor__id=f"user:{id}").exists()
    ended = Event.objects.of(organization).filter(type="api_key.revoked", targets=[key])
    assert ended.exists()


def test_ledger_papers_and_chain_stay_valid(
    api: ApiOf, alice: User, dave: User, organization: Organization, tmp_path: Path
) -> None:
    act(dave, organization, api)
    departures.erase(dave, timezone.now())
    publication.publish_due(outbox.fan_out)
    text = api(alice).get("/v1/events/export").content.decode()
    assert f"user:{dave.pk}" in text
    (tmp_path / "keys").write_bytes(api(alice).get("/.well-known/seal-keys.json").content)
    (tmp_path / "events").write_text(text)
    assert main(["verify-events", "--keys", str(tmp_path / "keys"), str(tmp_path / "events")]) == 0
    assert reconciliation.run() == []


def test_where_they_did_something_it_says_former_member(
    client: Client, api: ApiOf, alice: User, dave: User, organization: Organization
) -> None:
    act(dave, organization, api)
    departures.erase(dave, timezone.now())
    client.force_login(alice)
    assert b"Former member" in client.get(f"/o/{organization.public_id}/events/?actor=user:{dave.pk}").content
    assert b"Former member" in client.get(f"/o/{organization.public_id}/keys/?status=revoked").content


def test_the_last_owner_hands_over_first(client: Client, alice: User, bob: User, organization: Organization) -> None:
    with pytest.raises(erasure.SoleOwner) as refused:
        departures.erase(alice, timezone.now())
    assert refused.value.members["organizations"] == [{"id": organization.public_id, "name": organization.name}]
    alice.refresh_from_db()
    assert (alice.name, alice.memberships.count()) == ("Alice", 1)
    Membership.objects.filter(user=bob, organization=organization).update(role="owner")
    bobs_own = Membership.objects.filter(user=bob).exclude(organization=organization)
    bobs_own.delete()
    departures.erase(alice, timezone.now())
    with pytest.raises(erasure.SoleOwner):
        departures.erase(bob, timezone.now())


def test_their_service_accounts_get_another_responsible_person(
    alice: User, dave: User, organization: Organization
) -> None:
    account = service_accounts.create(
        organization, name="CI", role="viewer", responsible=dave.pk, by=credential(organization, alice),
        now=timezone.now(),
    )  # fmt: skip
    key, _ = factories.key(organization, created_by=account.user)
    departures.erase(dave, timezone.now())
    assert ServiceAccount.objects.get(pk=account.pk).responsible == alice
    key.refresh_from_db()
    assert key.revoked_at is None


def test_an_operator_is_not_erased(dave: User) -> None:
    User.objects.filter(pk=dave.pk).update(is_staff=True)
    with pytest.raises(erasure.OperatorStays):
        departures.erase(dave, timezone.now())


def test_a_person_has_fourteen_days_to_come_back(api: ApiOf, dave: User, organization: Organization) -> None:
    now = timezone.now()
    client = api(dave)
    assert client.get("/v1/whoami").status_code == 200
    erasure.request(dave, now)
    assert client.get("/v1/whoami").status_code == 401
    assert Email.objects.filter(to=dave.email).exists()
    assert departures.erase_due(now + timedelta(days=13)) == 0
    erasure.take_back(dave)
    assert departures.erase_due(now + timedelta(days=15)) == 0
    erasure.request(dave, now)
    assert departures.erase_due(now + timedelta(days=15)) == 1
    assert departures.erase_due(now + timedelta(days=15)) == 0
    types = Event.objects.of(organization).filter(type__startswith="user.eras").values_list("type", flat=True)
    assert {"user.erasure_requested", "user.erasure_cancelled", "user.erased"} == set(types)


def test_who_takes_it_back_while_others_are_erased_stays(dave: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run may take minutes, so a person may change their mind after the list of those who are due was read."""
    now, forget = timezone.now(), erasure.forget
    erin = User(email=f"{factories.unique('erin')}@example.com", name="Erin")
    people.register(erin)
    for person in (dave, erin):
        erasure.request(person, now)

    def meanwhile(erased: User, now: Any) -> None:
        other = erin if erased == dave else dave
        assert [erasure.take_back(other), erasure.take_back(erased)] == [True, False]
        forget(erased, now)

    monkeypatch.setattr(erasure, "forget", meanwhile)
    assert departures.erase_due(now + timedelta(days=15)) == 1
    assert User.objects.filter(pk__in=(dave.pk, erin.pk), is_active=True, erase_at=None, erased_at=None).count() == 1
    assert departures.erase_due(now + timedelta(days=15)) == 0


def test_who_became_the_last_owner_meanwhile_is_told(alice: User, bob: User, organization: Organization) -> None:
    Membership.objects.filter(user=bob, organization=organization).update(role="owner")
    now = timezone.now()
    erasure.request(alice, now)
    Membership.objects.filter(user=bob, organization=organization).delete()
    before = Email.objects.filter(to=alice.email).count()
    assert departures.erase_due(now + timedelta(days=15)) == 0
    assert Email.objects.filter(to=alice.email).count() == before + 1
    alice.refresh_from_db()
    assert alice.erase_at == now + timedelta(days=29)


def test_a_run_that_was_killed_goes_on(
    api: ApiOf, dave: User, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    act(dave, organization, api)
    with monkeypatch.context() as patched:
        patched.setattr(erasure, "_forget_events", lambda of: (_ for _ in ()).throw(KeyboardInterrupt))
        Invitation.objects.all().delete()
        with pytest.raises(KeyboardInterrupt):
            departures.erase(dave, timezone.now())
    assert PersonalData.objects.filter(text__contains="marked-agent").exists()
    assert departures.erase_due(timezone.now()) == 1
    assert not PersonalData.objects.filter(text__contains="marked-agent").exists()


def test_the_page_says_what_is_lost_and_asks_for_the_address(
    client: Client, dave: User, organization: Organization, api: ApiOf
) -> None:
    assert client.post("/accounts/login/", {"login": dave.email, "password": factories.PASSWORD}).status_code == 302
    key, _ = factories.key(organization, created_by=dave)
    assert client.get("/accounts/delete/")["Location"].startswith("/accounts/confirm/")
    client.post("/accounts/confirm/", {"password": factories.PASSWORD})
    page = client.get("/accounts/delete/").content.decode()
    assert key.public_id in page
    assert organization.name in page
    assert client.post("/accounts/delete/", {"email": "other@example.com"}).status_code == 400
    assert client.post("/accounts/delete/", {"email": dave.email}).status_code == 302
    dave.refresh_from_db()
    assert dave.erase_at
    assert client.get("/profile/").status_code == 302  # signed out
    client.post("/accounts/login/", {"login": dave.email, "password": factories.PASSWORD})
    assert b"Keep my account" in client.get("/profile/").content
    assert client.post("/accounts/keep/").status_code == 302
    dave.refresh_from_db()
    assert dave.erase_at is None


def test_the_page_lists_what_one_alone_owns(client: Client, alice: User, organization: Organization) -> None:
    client.post("/accounts/login/", {"login": alice.email, "password": factories.PASSWORD})
    client.post("/accounts/confirm/", {"password": factories.PASSWORD})
    page = client.get("/accounts/delete/").content.decode()
    assert f"/o/{organization.public_id}/organizations/{organization.public_id}/close/" in page
    answer = client.post("/accounts/delete/", {"email": alice.email})
    assert answer.status_code == 409


def test_an_operator_erases_in_the_admin(client: Client, dave: User, organization: Organization) -> None:
    client.force_login(User.objects.create_superuser(f"{factories.unique('op')}@example.com", factories.PASSWORD))
    form = {"action": "erase", "_selected_action": [str(dave.pk)]}
    shown = client.post("/admin/accounts/user/", form)
    assert (shown.status_code, "Erase for good" in shown.content.decode()) == (200, True)
    assert User.objects.get(pk=dave.pk).name == "Dave Marked"
    assert client.post("/admin/accounts/user/", {**form, "confirmed": "1"}).status_code == 302
    assert User.objects.get(pk=dave.pk).erased_at
    assert json.dumps(tables_with("Dave Marked")) == "[]"
