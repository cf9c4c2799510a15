"""May an organization create a service now?"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts import people
from accounts.models import Organization, User
from billing.invoicing import clearance, renewals
from billing.ledger import holds, posting
from billing.models import Hold
from tests import factories
from tests.billing.invoicing.subscribing import START, plan, subscribe, subscriber
from tests.concurrency import race
from tests.conftest import Api

PATH = "/v1/subscriptions/clearance"


def codes(answer: Any) -> list[str]:
    return [reason["code"] for reason in answer.json()["reasons"]]


def test_who_has_what_it_takes_is_cleared(api: Any, alice: User, funded: Organization) -> None:
    factories.billing_account(funded)
    assert api(alice).post(PATH, {"cost": 100}).json() == {"allowed": True, "reasons": [], "hold": None}


def test_every_reason_is_told_with_what_to_do_about_it(api: Any, alice: User, organization: Organization) -> None:
    answer = api(alice).post(PATH, {"cost": 5})
    assert answer.status_code == 200
    first, second = answer.json()["reasons"]
    assert (first["code"], second["code"]) == ("billing_account_required", "not_enough_credits")
    assert second["detail"] == "5 credits are needed, and 0 are available."
    assert first["action_url"].endswith(f"/o/{organization.public_id}/credits/")


def test_a_child_is_cleared_by_its_root(gateway: Api, funded: Organization) -> None:
    child = people.add_child(funded, name="Child")
    assert codes(gateway.post(PATH, {"organization": child.public_id, "cost": 200})) == [
        "billing_account_required",
        "not_enough_credits",
    ]
    factories.billing_account(funded)
    answer = gateway.post(PATH, {"organization": child.public_id, "cost": 60, "hold_seconds": 60})
    assert answer.json()["allowed"]
    hold = Hold.objects.get()
    assert (hold.account_id, hold.organization, hold.amount) == (funded.pk, child, 60)
    assert codes(gateway.post(PATH, {"organization": child.public_id, "cost": 60})) == ["not_enough_credits"]


def test_past_due_and_suspended_are_reasons(gateway: Api, db: None) -> None:
    organization = subscriber(30)
    plan("pro", 30)
    subscribe(organization, "pro")
    renewals.run(organization, START + timedelta(days=28))
    Organization.objects.filter(pk=organization.pk).update(status="suspended", monthly_budget=1)
    assert codes(gateway.post(PATH, {"organization": organization.public_id, "cost": 2})) == [
        *("suspended", "subscription_past_due", "not_enough_credits", "budget_exceeded"),
    ]
    assert not Hold.objects.exists()


def test_a_child_is_not_told_what_its_root_has_and_owes(api: Any, alice: User, gateway: Api) -> None:
    """The company's own system learns everything, so that it can show it to the payers."""
    organization = subscriber(30)
    plan("pro", 30)
    subscribe(organization, "pro")
    renewals.run(organization, START + timedelta(days=28))
    child = people.add_child(organization, name="Child")
    factories.join(alice, child, "owner")
    people.switch(alice, child)
    reasons = api(alice).post(PATH, {"cost": 7}).json()["reasons"]
    assert [(reason["code"], reason["action_url"]) for reason in reasons] == [
        ("subscription_past_due", None),
        ("not_enough_credits", None),
    ]
    assert not {"Pro", "30", "0"} & {word.strip(",.:") for reason in reasons for word in reason["detail"].split()}
    answer = gateway.post(PATH, {"organization": child.public_id, "cost": 7}).json()["reasons"]
    assert "Pro is past due: 30 credits" in answer[0]["detail"]
    assert organization.public_id in answer[1]["action_url"]


@pytest.mark.parametrize("body", [{"cost": 0}, {"cost": -1}, {"hold_seconds": 5}, {"price": 1}])
def test_bad_input_names_its_field(api: Any, alice: User, funded: Organization, body: dict[str, Any]) -> None:
    answer = api(alice).post(PATH, body)
    assert (answer.status_code, bool(answer.json()["errors"])) == (400, True)


def clear_many(organization: Organization) -> int:
    """How many of 50 that ask at once for 10 credits are cleared, while others hold and release 10."""

    def clear() -> bool:
        now, ttl = timezone.now(), timedelta(minutes=5)
        return clearance.clear(organization, now=now, cost=Decimal(10), ttl=ttl).is_allowed

    return sum(result is True for result in race([clear] * 50))


def test_fifty_at_once_are_cleared_for_what_is_there(committed: None) -> None:
    organization = subscriber(100)
    holds.place(organization, amount=Decimal(25), ttl=timedelta(minutes=5), now=timezone.now())
    assert clear_many(organization) == 7
    assert posting.available(organization.pk, timezone.now()) == 5


def test_without_the_lock_some_would_be_told_what_is_not_true(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above: the hold is refused after the clearance was given, which is an error."""
    organization = subscriber(100)
    monkeypatch.setattr(posting, "LOCK", posting.LOCK.replace("FOR NO KEY UPDATE", ""))
    load = clearance._debts

    def slowly(payer: Organization) -> Any:
        import time

        time.sleep(0.05)
        return load(payer)

    monkeypatch.setattr(clearance, "_debts", slowly)
    unguarded = holds.PLACE.replace("AND a.balance - a.reserved + a.credit_limit >= room.granted", "")
    assert unguarded != holds.PLACE
    monkeypatch.setattr(holds, "PLACE", unguarded)
    assert clear_many(organization) > 10
