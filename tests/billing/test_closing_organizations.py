"""An organization can be closed if it owes nothing and is owed nothing; then everything of it ends."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from threading import Thread
from typing import Any

import pytest
from django.utils import timezone

from accounts import closing as accounts_closing
from accounts import events, people, tree
from accounts.access import OrganizationClosed
from accounts.events.recording import record
from accounts.models import Event, Invitation, Organization, PersonalData, User, WebhookEndpoint
from accounts.webhooks import endpoints
from apikeys import departures
from apikeys.models import ApiKey
from billing import closing
from billing.invoicing import subscriptions
from billing.ledger import corrections, holds, posting, thresholds
from billing.models import BillingAccount, LedgerAccount, LedgerEntry, PaymentMethod, Subscription
from billing.payments import payments, purchases
from tests import factories
from tests.concurrency import race, wait_until_blocking
from tests.conftest import Api
from usage import metering
from usage.storage import reconciliation

Client = Callable[[Any], Api]


def close(client: Api, organization: Organization) -> Any:
    return client.post(f"/v1/organizations/{organization.public_id}/close", {})


def codes(answer: Any) -> set[str]:
    assert (answer.status_code, answer.json()["code"]) == (409, "organization_not_closable")
    return {obstacle["code"] for obstacle in answer.json()["obstacles"]}


def test_closing_ends_everything_that_would_go_on(api: Client, alice: User, organization: Organization) -> None:
    factories.card(organization)
    subscriptions.subscribe(organization, "developer", now=timezone.now())
    key, secret = factories.key(organization, created_by=alice, permissions=["credits:read"])
    endpoints.create(organization, {"url": "https://example.com/x", "event_types": ["*"]}, scopes=())
    factories.invitation(organization, "new@example.com", by=alice)
    factories.credit(organization, 3)
    answer = close(api(alice), organization)
    assert (answer.status_code, answer.json()["status"]) == (200, "closed")
    assert api(secret).get("/auth/account/credits").json()["code"] == "key_revoked"
    assert ApiKey.objects.get(pk=key.pk).revoked_at
    assert not WebhookEndpoint.objects.of(organization).exists()
    assert not Invitation.objects.of(organization).open().exists()
    assert Subscription.objects.of(organization).get().status == "canceled"
    assert not BillingAccount.objects.of(organization).open().exists()
    assert not PaymentMethod.objects.of(organization).exists()
    assert LedgerAccount.objects.get(pk=organization.pk).balance == 0
    ended = {"api_key.revoked", "webhook_endpoint.deleted", "invitation.revoked", "subscription.ended"}
    ended |= {"payment_method.removed", "billing_account.closed", "organization.closed"}
    assert ended <= set(Event.objects.of(organization).values_list("type", flat=True))
    assert reconciliation.run() == []


def test_a_closed_organization_is_read_and_not_changed(api: Client, alice: User, organization: Organization) -> None:
    client = api(alice)
    assert close(client, organization).status_code == 200
    assert client.get(f"/v1/organizations/{organization.public_id}").json()["status"] == "closed"
    assert client.get("/auth/account/ledger").status_code == 200
    for path, body in (
        ("/v1/organizations", {"name": "Child"}),
        ("/v1/account/api-keys", {"name": "New"}),
        ("/v1/account", {"name": "A", "email": "a@example.com", "address": {"country": "US"}}),
    ):
        answer = client.post(path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "organization_suspended")
    again = close(client, organization)
    assert (again.status_code, again.json()["code"]) == (403, "organization_suspended")


def owes(organization: Organization) -> str:
    posting.post(organization.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal("-0.02"), now=timezone.now())
    return "balance_owed"


def has_paid_credits(organization: Organization) -> str:
    factories.card(organization)
    payments.complete(purchases.begin(organization, amount=Decimal(20), method=None, by="alice").pk)
    return "credits_left"


def holds_credits(organization: Organization) -> str:
    factories.credit(organization, 5)
    holds.place(organization, amount=Decimal(1), ttl=timedelta(hours=1), now=timezone.now())
    return "credits_held"


def pays(organization: Organization) -> str:
    factories.card(organization)
    purchases.begin(organization, amount=Decimal(20), method=None, by="alice")
    return "payment_open"


def has_a_child(organization: Organization) -> str:
    people.add_child(organization, name="Child")
    return "children_open"


@pytest.mark.parametrize("obstacle", [owes, has_paid_credits, holds_credits, pays, has_a_child])
def test_what_stands_in_the_way(
    api: Client, alice: User, organization: Organization, obstacle: Callable[[Organization], str]
) -> None:
    code = obstacle(organization)
    client = api(alice)
    shown = client.get(f"/v1/organizations/{organization.public_id}/closing").json()["obstacles"]
    assert {row["code"] for row in shown} == {code}
    assert codes(close(client, organization)) == {code}
    organization.refresh_from_db()
    assert organization.status == "active"


def test_less_than_money_can_pay_is_written_off(organization: Organization) -> None:
    corrections.adjust(organization.pk, amount=Decimal("-0.009"), reason="Dust", actor="", now=timezone.now())
    closing.close(organization, by=factories.operator(), now=timezone.now())
    assert LedgerAccount.objects.get(pk=organization.pk).balance == 0
    assert reconciliation.run() == []


@pytest.mark.parametrize("role", ["admin", "billing", "developer", "viewer"])
def test_what_it_owes_is_shown_only_to_those_who_may_close_it(
    api: Client, organization: Organization, role: str, gateway: Api
) -> None:
    person = factories.user(role)
    factories.join(person, organization, role)
    people.switch(person, organization)
    path = f"/v1/organizations/{organization.public_id}/closing"
    assert (api(person).get(path).status_code, gateway.get(path).status_code) == (403, 200)


def test_only_an_owner_a_parents_administrator_or_the_operator_closes(
    api: Client, alice: User, bob: User, organization: Organization, gateway: Api
) -> None:
    admin = factories.user("admin")
    factories.join(admin, organization, "admin")
    people.switch(admin, organization)
    assert close(api(admin), organization).json()["code"] == "above_own_role"
    assert close(api(bob), organization).json()["code"] == "insufficient_scope"
    _, secret = factories.key(organization, created_by=alice, permissions=["account:write"])
    assert close(api(secret), organization).json()["code"] == "person_required"
    child = people.add_child(organization, name="Child")
    assert close(api(admin), child).status_code == 200
    assert close(gateway, organization).status_code == 200


def test_nothing_comes_beneath_it_any_more(organization: Organization) -> None:
    """Whoever asked before it was closed waits for the lock of its root, and gets there afterwards."""
    operator, now = factories.operator(), timezone.now()
    first, second = (people.add_child(organization, name=name) for name in ("First", "Second"))
    closing.close(first, by=operator, now=now)
    with pytest.raises(OrganizationClosed):
        people.add_child(first, name="Late")
    for node, target in ((second, first), (first, second)):
        with pytest.raises(OrganizationClosed):
            tree.move(node, parent=target.public_id, by=operator, address="")
    closing.close(second, by=operator, now=now)
    closing.close(organization, by=operator, now=now)
    with pytest.raises(OrganizationClosed):
        people.add_child(organization, name="Late")


def test_its_credit_limit_ends_with_it(organization: Organization) -> None:
    now = timezone.now()
    thresholds.set_credit_limit(organization.pk, credit_limit=Decimal(50), reason="Trusted", actor="", now=now)
    closing.close(organization, by=factories.operator(), now=now)
    assert LedgerAccount.objects.get(pk=organization.pk).credit_limit == 0
    assert Event.objects.of(organization).filter(type="credits.limit_changed").count() == 2


@pytest.mark.usefixtures("committed")
def test_usage_that_comes_while_it_is_closed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was looked up before, and waits for the lock."""
    customer, results = factories.organization(owner=factories.user("owner")), []
    body = {"id": "1", "organization": customer.public_id, "meter": "sms"}
    sender = Thread(target=lambda: results.extend(race([partial(metering.record, [body])])))

    def meanwhile(*args: Any) -> None:
        sender.start()
        wait_until_blocking()
        close_all(*args)

    close_all = departures.close
    monkeypatch.setattr(departures, "close", meanwhile)
    closing.close(customer, by=factories.operator(), now=timezone.now())
    sender.join()
    assert [result.code for result in results[0].results] == ["organization_closed"]
    assert not LedgerEntry.objects.of(customer).exists()


def test_after_thirty_days_what_is_personal_is_erased(alice: User, organization: Organization) -> None:
    now = timezone.now()
    factories.invitation(organization, "new@example.com", by=alice)
    record(organization.pk, "sign_in.started", {"method": "token"}, now, personal={"address": "203.0.113.7"})
    closing.close(organization, by=factories.operator(), now=now)
    assert accounts_closing.forget(now + timedelta(days=29)) == 0
    assert accounts_closing.forget(now + timedelta(days=31)) == 1
    assert not PersonalData.objects.filter(event__in=Event.objects.of(organization)).exists()
    assert not Invitation.objects.of(organization).exists()
    assert events.sealing.head(organization)["last"] >= 0
    assert accounts_closing.forget(now + timedelta(days=31)) == 0
