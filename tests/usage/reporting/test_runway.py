"""How long the credits last, and in one word, how an organization does."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.lib.money import ZERO
from billing.balance import Balance
from usage.reporting import runway

START = datetime(2015, 5, 17, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("balance", "reserved", "daily", "health", "days"),
    [
        ("100", "0", "0", "Healthy", None),
        ("70", "0", "10", "Healthy", 7),
        ("70", "1", "10", "Low", 6),
        ("1", "0", "10", "Low", 0),
        ("0", "0", "0", "Empty", None),
        ("5", "5", "1", "Empty", None),
        ("-0.000000001", "0", "1", "In debt", None),
        ("1000000000", "0", "0.000000001", "Healthy", runway.FARTHEST_DAYS),
    ],
)
def test_health_follows_from_what_is_left_and_the_pace(
    balance: str, reserved: str, daily: str, health: str, days: int | None
) -> None:
    balances = Balance(None, Decimal(balance), Decimal(reserved), ZERO, 1)
    assessed = runway.assess(balances, {7: Decimal(daily), 30: Decimal(daily) / 2}, START)
    assert (assessed.health, assessed.paces[0].days_left) == (health, days)


def test_it_is_low_where_the_customer_wanted_to_be_warned() -> None:
    for balance, health in (("9.999", "Low"), ("10", "Healthy")):
        balances = Balance(None, Decimal(balance), ZERO, ZERO, 1, low_balance=Decimal(10))
        assert runway.assess(balances, {7: ZERO}, START).health == health


def test_each_pace_has_its_own_date() -> None:
    balances = Balance(None, Decimal(100), ZERO, ZERO, 1)
    week, month = runway.assess(balances, {7: Decimal(10), 30: Decimal(5)}, START).paces
    assert (week.days_left, week.until) == (10, START + timedelta(days=10))
    assert (month.days_left, month.until) == (20, START + timedelta(days=20))


def test_a_credit_limit_keeps_a_debt_from_refusing_anything() -> None:
    balances = Balance(None, Decimal(-5), ZERO, Decimal(10), 1)
    assert runway.assess(balances, {7: ZERO}, START).health == "Healthy"
