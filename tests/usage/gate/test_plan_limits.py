"""The rate limit of a plan: for all keys of its subscriber's tree together, beside the limits that keys have."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Organization
from apikeys.models import ApiKey
from billing import accounts
from billing.invoicing import changes, plans, renewals, subscriptions
from billing.models import LedgerAccount, Plan
from tests import factories
from tests.billing.invoicing.subscribing import BY, plan
from tests.concurrency import race
from tests.conftest import Api
from usage import gate
from usage.gate.caller import Caller
from usage.gate.query import Call
from usage.storage import reconciliation

HOUR: dict[str, Any] = {"rate_limit_window_seconds": 3600}


@pytest.fixture
def caller(db: None) -> Caller:
    return Caller(factories.platform_key(), "127.0.0.1")


def subscriber(limit: int, slug: str = "pro") -> Organization:
    organization = factories.organization()
    factories.billing_account(organization)
    factories.credit(organization, 100)
    plan(slug, 1, rate_limit=limit, **HOUR)
    subscriptions.subscribe(organization, slug, now=timezone.now())
    return organization


def codes(secrets: list[str], caller: Caller, now: datetime | None = None, **fields: Any) -> list[str]:
    verdicts = [gate.verify(Call(secret, **fields), caller, now or timezone.now()) for secret in secrets]
    return [verdict.code.value for verdict in verdicts if verdict]


def limit_of(organization: Organization) -> Any:
    return LedgerAccount.objects.get(pk=organization.pk).rate_limit


@pytest.mark.parametrize("fields", [{}, {"meter": "sms", "hold_seconds": 60}])
def test_all_keys_of_the_tree_share_it(caller: Caller, fields: dict[str, Any]) -> None:
    organization = subscriber(3)
    child = Organization.objects.create_child(organization, name="Child")
    first, second = factories.key(organization)[1], factories.key(child)[1]
    test, other = factories.key(child, environment="test")[1], factories.key(factories.organization())[1]
    assert codes([first, second, first, second, first], caller, **fields) == ["VALID"] * 3 + ["RATE_LIMITED"] * 2
    assert codes([test, other], caller) == ["VALID"] * 2
    assert codes([second], caller, timezone.now() + timedelta(hours=2), **fields) == ["VALID"]


def test_a_call_that_one_limit_refuses_is_not_counted_in_the_other(caller: Caller) -> None:
    organization = subscriber(3)
    narrow, wide = (factories.key(organization, rate_limit=limit, **HOUR)[1] for limit in (1, 4))
    assert codes([narrow] * 4 + [wide] * 3, caller) == [
        *("VALID", "RATE_LIMITED", "RATE_LIMITED", "RATE_LIMITED"),
        *("VALID", "VALID", "RATE_LIMITED"),
    ]
    codes([wide] * 5, caller)
    LedgerAccount.objects.update(rate_limit=None, rate_limit_window_seconds=None)
    assert codes([wide] * 3, caller) == ["VALID", "VALID", "RATE_LIMITED"]


def test_a_budget_is_weighed_after_it_and_the_call_counts_once(caller: Caller) -> None:
    organization = subscriber(2)
    Organization.objects.filter(pk=organization.pk).update(monthly_budget=Decimal("1.005"))  # 1 is the plan's price
    secret = factories.key(organization)[1]
    assert codes([secret] * 3, caller, meter="sms") == ["VALID", "VALID", "RATE_LIMITED"]


@pytest.mark.parametrize("hold_seconds", [None, 60])
def test_in_a_batch_each_call_counts(caller: Caller, hold_seconds: int | None) -> None:
    organization = subscriber(3)
    secrets = [factories.key(organization)[1], factories.key(organization, rate_limit=1, **HOUR)[1]]
    calls = [Call(secret, meter="sms", hold_seconds=hold_seconds) for secret in secrets * 3]
    verdicts = gate.verify_all(calls, caller, timezone.now())
    assert [verdict.code.value for verdict in verdicts or ()] == [
        *("VALID", "VALID", "VALID"),
        *("RATE_LIMITED", "RATE_LIMITED", "RATE_LIMITED"),
    ]


def test_both_limits_are_in_the_headers(gateway: Api) -> None:
    organization = subscriber(5)
    secret = factories.key(organization, rate_limit=2, **HOUR)[1]
    answer = gateway.post("/v1/keys/verify", {"key": secret})
    assert answer.headers["RateLimit-Policy"] == '"key";q=2;w=3600, "plan";q=5;w=3600'
    assert answer.headers["RateLimit"] == '"key";r=1;t=3600, "plan";r=4;t=3600'
    shown = {row["id"]: row["rate_limit"] for row in gateway.get("/v1/plans").json()["results"]}
    assert (shown["pro"], shown["developer"]) == ({"limit": 5, "window_seconds": 3600}, None)


def test_of_many_calls_as_many_pass_as_it_says(committed: None) -> None:
    organization = subscriber(5, factories.unique("plan"))
    caller, secrets = Caller(factories.platform_key(), "127.0.0.1"), [factories.key(organization)[1] for _ in range(2)]
    results = race([lambda secret=secret: codes([secret] * 5, caller) for secret in secrets * 3])  # type: ignore[misc]
    outcomes = [code for result in results for code in result]
    assert (outcomes.count("VALID"), outcomes.count("RATE_LIMITED")) == (5, 25)


def test_it_comes_and_goes_with_the_plan(db: None) -> None:
    now, organization = timezone.now(), subscriber(3)
    plan("team", 2, rate_limit=9, **HOUR)
    changes.change(organization, "team", None, now=now, actor=BY)
    assert limit_of(organization) == 9
    changes.change(organization, "pro", None, now=now, actor=BY)
    assert limit_of(organization) == 9
    renewals.run(organization, now + timedelta(days=32))
    assert limit_of(organization) == 3
    assert reconciliation.run() == []
    changes.cancel(organization, now=now, actor=BY)
    renewals.run(organization, now + timedelta(days=64))
    assert limit_of(organization) is None
    LedgerAccount.objects.filter(pk=organization.pk).update(rate_limit=1, rate_limit_window_seconds=1)
    assert [finding.check for finding in reconciliation.run()] == ["the rate limit of a payer is its plan's"]


def test_a_closed_account_has_none(db: None) -> None:
    organization = factories.organization()
    factories.billing_account(organization)
    plan("free", 0, rate_limit=3, **HOUR)
    subscriptions.subscribe(organization, "free", now=timezone.now())
    accounts.close(organization, now=timezone.now())
    assert limit_of(organization) is None


def test_what_was_sold_keeps_its_limit(db: None) -> None:
    subscriber(3)
    sold = Plan.objects.get(slug="pro")
    with pytest.raises(IntegrityError), transaction.atomic():
        Plan.objects.filter(pk=sold.pk).update(rate_limit=4)
    copy = plans.next_version(sold)
    assert (copy.rate_limit, copy.rate_limit_window_seconds) == (3, 3600)
    with pytest.raises(IntegrityError), transaction.atomic():
        Plan.objects.filter(pk=copy.pk).update(rate_limit=None)
    assert not ApiKey.objects.filter(rate_limit=3).exists()
