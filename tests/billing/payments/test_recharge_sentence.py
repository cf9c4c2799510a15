from decimal import Decimal
from typing import Any

import pytest

from billing.payments import recharge_sentence


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "Nothing is bought automatically."),
        ({"enabled": True, "threshold": Decimal(5)}, "Set the balance below which credits are bought, and how many."),
        (
            {"enabled": True, "threshold": Decimal(5), "amount": Decimal("20.50"), "target": None},
            "When less than 5 credits are left, 20.5 credits are bought.",
        ),
        (
            {"enabled": True, "threshold": "0", "target": "50", "monthly_limit": Decimal(200), "monthly_count": 3},
            "When less than 0 credits are left, credits are bought up to a balance of 50, at most 200 a month,"
            " at most 3 times a month.",
        ),
    ],
)
def test_the_settings_in_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    assert recharge_sentence.describe(settings) == sentence
