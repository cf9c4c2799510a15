"""Public ids that are made of a primary key."""

from uuid import UUID

import pytest

from accounts.lib import identifiers


def test_a_public_id_names_its_primary_key() -> None:
    key = identifiers.uuid7()
    assert identifiers.uuid_of(f"hold_{key.hex}", "hold_") == key


@pytest.mark.parametrize(
    "text", ["", "hold_", "{hex}", "pm_{hex}", "hold_hold_{hex}", "hold_{hex}0", "hold_{{{hex}}}", "hold_{hex}\n"]
)
def test_what_is_written_otherwise_names_none(text: str) -> None:
    with pytest.raises(ValueError, match="not an id"):
        identifiers.uuid_of(text.format(hex="a" * 32), "hold_")


@pytest.mark.parametrize("digits", ["A" * 32, "\u0661" * 32, str(UUID(int=1)), "urn:uuid:" + "a" * 32])
def test_its_digits_are_hexadecimal_and_small(digits: str) -> None:
    with pytest.raises(ValueError, match="not an id"):
        identifiers.uuid_of(f"hold_{digits}", "hold_")
