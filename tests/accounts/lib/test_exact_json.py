"""JSON whose numbers are exact, however large or small."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.lib import exact_json


def test_whole_numbers_are_ints_and_others_decimals() -> None:
    assert repr(exact_json.loads(b'[1, 0.1, 1e2, "1.0"]')) == "[1, Decimal('0.1'), Decimal('1E+2'), '1.0']"


def test_decimals_are_written_digit_by_digit() -> None:
    assert exact_json.dumps({"amount": Decimal("1E+3"), "zero": Decimal("0E-9"), "name": "é"}) == (
        '{"amount": 1000, "zero": 0, "name": "é"}'
    )


FEW: list[dict[Any, object]] = [
    {},
    {"amount": Decimal("1.500"), "none": None, "yes": True, "no": False, "names": ["a", 'b\n"\\\x01\x7f']},
    {"zero": Decimal("-0.0"), "empty": [], "mixed": [None, Decimal(1)]},
    {'"': "quoted", "\n": "new line"},
    {"é": "\u2028"},
    {"nested": {"a": 1}, "number": 5},
    {7: "named by a number"},
]


@pytest.mark.parametrize("members", FEW)
def test_a_few_members_are_written_alike(members: dict[Any, object]) -> None:
    assert exact_json.dumps_few(members) == exact_json.dumps(members)


def test_a_number_of_any_size_does_not_fail_its_neighbours() -> None:
    extremes = "[1e999999999999999999999, -1e999999999999999999999, 1e-999999999999999999999, 0e999999999999999999999]"
    largest, smallest, tiny, zero = exact_json.loads(extremes)

    assert largest == Decimal("Infinity")
    assert smallest == Decimal("-Infinity")
    assert 0 < tiny < Decimal("1e-1000")
    assert zero == 0
    assert exact_json.loads("9" * 5000) == Decimal("9" * 5000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "not valid JSON"),
        (b"", "not valid JSON"),
        (b"[NaN]", "NaN is not a number"),
        (b"[-Infinity]", "-Infinity is not a number"),
        (b"[01]", "not valid JSON"),
        (b"\xff", "not in UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        (b"1e999999999999999999999" + b"[" * 200_000, "not valid JSON"),
    ],
)
def test_what_is_no_json_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(exact_json.InvalidJson, match=message):
        exact_json.loads(text)
