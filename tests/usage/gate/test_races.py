"""The gate under threads: no more is let through than there is, and nobody waits for ever. Each with its control."""

import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from threading import Event
from typing import Any

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from accounts.models import Organization
from apikeys import keys, secrets
from apikeys.models import ApiKey, RateCount
from billing.ledger import holds, posting
from billing.models import Hold, LedgerAccount, LedgerEntry
from tests import factories
from tests.concurrency import race, replace
from tests.conftest import Api
from usage import gate
from usage.gate import distributed, parts, query
from usage.gate import sql as gate_sql
from usage.gate.caller import Caller
from usage.gate.query import Call, Context
from usage.gate.verdict import Code

Made = tuple[ApiKey, str]
pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def caller(committed: None) -> Caller:
    return Caller(factories.platform_key(), "127.0.0.1")


@pytest.fixture
def payer(committed: None) -> Organization:
    """With credits for ten calls."""
    organization = factories.organization()
    factories.credit(organization, "0.1")
    return organization


@pytest.fixture
def fresh() -> Any:
    """Forms of the statement are made anew, before and after."""
    gate_sql.statement.cache_clear()
    gate_sql.lock.cache_clear()
    yield
    gate_sql.statement.cache_clear()
    gate_sql.lock.cache_clear()


def codes(call: Call, caller: Caller, threads: int, times: int = 1) -> list[str]:
    def ask() -> list[str]:
        verdicts = [gate.verify(call, caller, timezone.now()) for _ in range(times)]
        return [verdict.code.value for verdict in verdicts if verdict]

    results = race([ask] * threads)
    assert not [result for result in results if isinstance(result, Exception)], results
    return [code for result in results for code in result]


def held(organization: Organization) -> Decimal:
    """The reserved credits, which must be the sum of the open holds."""
    reserved: Decimal = LedgerAccount.objects.get(pk=organization.pk).reserved
    assert reserved == sum(hold.amount for hold in Hold.objects.filter(account=organization.pk, status="open"))
    return reserved


def holding(secret: str) -> Call:
    return Call(secret, meter="sms", hold_seconds=600)


def test_of_two_hundred_holds_as_many_are_placed_as_there_are_credits_for(payer: Organization, caller: Caller) -> None:
    call = holding(factories.key(payer)[1])
    outcomes = codes(call, caller, 50, 4)
    assert (len(outcomes), outcomes.count("VALID"), outcomes.count("INSUFFICIENT_CREDITS")) == (200, 10, 190)
    assert held(payer) == Decimal("0.1")


def test_a_hold_that_is_not_decided_by_the_latest_row_takes_too_much(
    payer: Organization, caller: Caller, fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = " AND a.balance - a.reserved + a.credit_limit >= room.granted"
    replace(monkeypatch, holds, ("PLACED", "RESERVED"), guard, "")
    take_out(payer, "0.09")
    assert overlapping(holding(factories.key(payer)[1]), caller) == ["VALID", "VALID"]


def test_a_call_that_waited_for_another_finds_its_hold(payer: Organization, caller: Caller) -> None:
    take_out(payer, "0.09")
    assert overlapping(holding(factories.key(payer)[1]), caller) == ["VALID", "INSUFFICIENT_CREDITS"]


def take_out(payer: Organization, amount: str) -> None:
    posting.post(payer.pk, kind=LedgerEntry.Kind.ADJUSTMENT, amount=-Decimal(amount), now=timezone.now())


def overlapping(call: Call, caller: Caller) -> list[str]:
    """The codes of two calls, the second of which begins before the first has committed."""
    assert ask(Call(call.key), caller) == ["VALID"]  # so that the use of the key is noted already
    first_asked = Event()

    def first() -> list[str]:
        with transaction.atomic():
            outcome = ask(call, caller)
            first_asked.set()
            time.sleep(0.2)
        return outcome

    def second() -> list[str]:
        first_asked.wait(timeout=30)
        return ask(call, caller)

    return [code for outcome in race([first, second]) for code in outcome]


def ask(call: Call, caller: Caller) -> list[str]:
    verdict = gate.verify(call, caller, timezone.now())
    return [verdict.code.value] if verdict else []


def capped(payer: Organization, limit: int | None = None, budget: str = "0.05") -> str:
    """The secret of a key with a budget, for five calls unless another is given."""
    fields: dict[str, Any] = {"rate_limit": limit, "rate_limit_window_seconds": 3600} if limit else {}
    made, secret = factories.key(payer, **fields)
    ApiKey.objects.filter(pk=made.pk).update(monthly_budget=Decimal(budget))
    return secret


def test_of_many_holds_as_many_are_placed_as_the_budget_allows(payer: Organization, caller: Caller) -> None:
    outcomes = codes(holding(capped(payer)), caller, 40)
    assert (outcomes.count("VALID"), outcomes.count("BUDGET_EXCEEDED")) == (5, 35)
    assert held(payer) == Decimal("0.05")


def test_a_budget_that_is_weighed_without_the_lock_is_exceeded(
    payer: Organization, caller: Caller, fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "LOCK", "SELECT {digests}")
    monkeypatch.setattr(distributed, "LOCK", distributed.READ)
    assert overlapping(holding(capped(payer, budget="0.01")), caller) == ["VALID", "VALID"]


def test_under_the_lock_a_budget_is_weighed_with_what_another_call_holds(payer: Organization, caller: Caller) -> None:
    assert overlapping(holding(capped(payer, budget="0.01")), caller) == ["VALID", "BUDGET_EXCEEDED"]


@pytest.mark.parametrize("hold_seconds", [None, 600])
def test_of_many_calls_as_many_pass_as_the_limit_says(caller: Caller, hold_seconds: int | None) -> None:
    organization = factories.organization()
    factories.credit(organization, 100)
    made, secret = factories.key(organization, rate_limit=5, rate_limit_window_seconds=86_400)
    outcomes = codes(Call(secret, meter="sms", hold_seconds=hold_seconds), caller, 50)
    assert (outcomes.count("VALID"), outcomes.count("RATE_LIMITED")) == (5, 45)
    assert sum(RateCount.objects.get(pk=f"key:{made.pk}").calls) == 5
    assert Hold.objects.filter(account=organization.pk).count() == (5 if hold_seconds else 0)


PUT_OFF = "(SELECT is_stale FROM caller) OR "


def at_the_minutes_turn(secret: str, platform: str) -> tuple[int, int]:
    """How many of 8 calls at once are valid, and how many holds they placed, when the use of the platform's key has to
    be noted again and that of the customer's has not."""
    body = {"key": secret, "meter": "sms", "quantity": 100, "hold_seconds": 600}
    assert Api(platform).post("/v1/keys/verify", body).json()["code"] == "VALID"
    before = Hold.objects.count()
    asking = ApiKey.objects.filter(secrets__digest__in=secrets.digests(platform))
    assert asking.update(last_used_at=timezone.now() - timedelta(minutes=2)) == 1
    answers = race([lambda: Api(platform).post("/v1/keys/verify", body).json()["code"]] * 8)
    return answers.count("VALID"), Hold.objects.count() - before


def test_at_the_turn_of_a_minute_a_call_holds_once(payer: Organization) -> None:
    factories.credit(payer, 100)
    assert at_the_minutes_turn(factories.key(payer)[1], factories.platform_key()) == (8, 8)


def test_a_form_that_holds_before_it_asks_for_the_long_one_holds_twice(
    payer: Organization, fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PUT_OFF in parts.SHORT
    monkeypatch.setattr(parts, "SHORT", parts.SHORT.replace(PUT_OFF, ""))
    factories.credit(payer, 100)
    valid, placed = at_the_minutes_turn(factories.key(payer)[1], factories.platform_key())
    assert valid == 8
    assert placed > 8


def test_a_batch_in_the_middle_of_which_the_caller_is_refused_holds_nothing(
    payer: Organization, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = query.ask_all

    def revoked_at_last(*args: Any, **kwargs: Any) -> None:
        assert [row.code for row in judge(*args, **kwargs) or ()] == ["VALID", "VALID"]

    monkeypatch.setattr(query, "ask_all", revoked_at_last)
    assert gate.verify_all([holding(factories.key(payer)[1])] * 2, caller, timezone.now()) is None
    assert held(payer) == 0


def crosswise(secrets: list[str], ask: Callable[[list[Call]], Any]) -> list[Any]:
    """Batches of calls, half of them the other way about."""
    calls = [holding(secret) for secret in secrets]
    return race([lambda: ask(calls), lambda: ask(calls[::-1])] * 8)


@pytest.fixture
def limited(committed: None) -> list[str]:
    """The secrets of two keys with rate limits and payers of their own."""
    made = []
    for _ in range(2):
        organization = factories.organization()
        factories.credit(organization, 100)
        made.append(factories.key(organization, rate_limit=1000, rate_limit_window_seconds=86_400)[1])
    return made


def test_batches_that_meet_do_not_wait_for_each_other(limited: list[str], caller: Caller) -> None:
    results = crosswise(limited, lambda calls: gate.verify_all(calls * 5, caller, timezone.now()))
    assert not [result for result in results if isinstance(result, Exception)]
    assert {verdict.code for result in results for verdict in result} == {Code.VALID}


def test_batches_that_lock_as_they_go_do(limited: list[str], caller: Caller) -> None:
    """The control: each call takes what it needs by itself, in one transaction."""

    def ask(calls: list[Call]) -> None:
        with transaction.atomic():
            for call in calls * 5:
                query.ask(call, caller, timezone.now(), Context(up_to_date=True))

    failed = [result for result in crosswise(limited, ask) if isinstance(result, Exception)]
    assert failed
    assert all(isinstance(result, OperationalError) and "deadlock" in str(result) for result in failed)


def test_single_calls_and_batches_do_not_wait_for_each_other(limited: list[str], caller: Caller) -> None:
    calls = [holding(result) for result in limited]
    single = [lambda call=call: gate.verify(call, caller, timezone.now()) for call in calls]
    results = race([*single, lambda: gate.verify_all(calls * 5, caller, timezone.now())] * 6)
    assert not [result for result in results if isinstance(result, Exception)]


def test_a_revocation_works_on_the_next_call_whoever_asks_meanwhile(payer: Organization, caller: Caller) -> None:
    made, secret = factories.key(payer)
    call = Call(secret)

    def revoke() -> list[str]:
        keys.revoke(made)
        return [verdict.code for _ in range(20) if (verdict := gate.verify(call, caller, timezone.now()))]

    results = race([revoke, *[lambda: gate.verify(call, caller, timezone.now())] * 20])
    assert set(results[0]) == {Code.REVOKED}
