"""Numbers that callers send: in JSON as numbers, or in strings as plain digits."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.lib import exact_json, numbers
from accounts.lib.money import LARGEST, ZERO


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "1"),
        ("1.5", "1.5"),
        ("1e3", "1000"),
        ("1E-9", "0.000000001"),
        ('"12.5"', "12.5"),
        ('"-1"', "-1"),
        ("0e-16384", "0"),
        ("-0.0", "0"),
        ("0e999999999999999999999", "0"),
        ("0e-999999999999999999999", "0"),
        (f"1.{'0' * 16_384}", "1"),
        (f'"1.{"0" * 16_384}"', "1"),
        (f"0.{'0' * 16_384}", "0"),
    ],
)
def test_a_number_is_what_it_is_however_it_is_written(text: str, expected: str) -> None:
    number = numbers.read(exact_json.loads(text))

    assert number == Decimal(expected)
    assert abs(int(number.as_tuple().exponent)) <= 9


@pytest.mark.parametrize(
    "value",
    [
        *("", " 1", "1 ", "+1", "1_000", "１", "NaN", "Infinity", ".5", "5.", "1e", "1e3", "0e0", "0x1", "1,5", "1\n"),
        *(None, True, False, [], {}, 1.5),
    ],
)
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="A valid number is required"):
        numbers.read(value)


@pytest.mark.parametrize(
    "text", ["-1", "-0.000000001", "1000000000.000000001", "1e999999", "1e999999999999999999999", "9" * 5000]
)
def test_what_is_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Must be from 0 to 1000000000\."):
        numbers.read(exact_json.loads(text), least=ZERO, most=LARGEST)


@pytest.mark.parametrize(
    "text", ["1e-10", "1.0000000001", "1e-999999", "1e-999999999999999999999", f"0.{'0' * 16_384}1", f"0.{'1' * 5000}"]
)
def test_a_tenth_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"At most 9 decimals\."):
        numbers.read(exact_json.loads(text), least=ZERO, most=LARGEST)
