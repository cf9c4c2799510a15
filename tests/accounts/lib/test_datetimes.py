"""Datetimes as callers write them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.lib import datetimes
from tests.properties import search


@pytest.mark.parametrize(
    ("text", "timezone", "expected"),
    [
        ("2026-03-01T12:00:00Z", "Asia/Tokyo", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00+02:00", "UTC", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T12:00:00 02:00", "UTC", datetime(2026, 3, 1, 10, tzinfo=UTC)),  # a plus that a URL ate
        ("2026-03-01T12:00:00", "Asia/Tokyo", datetime(2026, 3, 1, 3, tzinfo=UTC)),
        ("2026-03-01", "Asia/Tokyo", datetime(2026, 2, 28, 15, tzinfo=UTC)),
        ("2026-03-01", "Gone/Zone", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-07-01T00:00:00.123456Z", "UTC", datetime(2026, 7, 1, 0, 0, 0, 123456, tzinfo=UTC)),
        ("2026-03-01t12:00:00z", "Asia/Tokyo", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01 12:00:00Z", "Asia/Tokyo", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01 12:00", "Asia/Tokyo", datetime(2026, 3, 1, 3, tzinfo=UTC)),
        ("2026-03-01T12:00:00+05", "UTC", datetime(2026, 3, 1, 7, tzinfo=UTC)),
        ("2026-03-01T12:00:00-00:00", "UTC", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00,5Z", "UTC", datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-01T12:00:00.123456789Z", "UTC", datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-03-01T12:00:00.999999999Z", "UTC", datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", "UTC", datetime(2016, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("2016-12-31T23:59:60.5 00:00", "UTC", datetime(2016, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_in_its_zone(text: str, timezone: str, expected: datetime) -> None:
    assert datetimes.parse(text, timezone) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        " 2026-03-01",
        "2026-03-01T12:00:00Z\n",
        "2026-13-01",
        "2026-02-30",
        "12:00",
        "0000-01-01",
        "10000-01-01",
        "2026-01-01T25:00",
        "1e9",
        "1795081512345",
        "1795081512",
        "17950815",
        "17950815T123456Z",
        "2026",
        "2026-03",
        "2026-060",
        "2026-W09-7",
        "20260301",
        "2026-03-01T",
        "2026-03-01T12",
        "2026-03-01T120000Z",
        "2026-03-01T12:00:00+0545",
        "2026-03-01T12:00:00+05:60",
        "2026-03-01T12:00:00+25:00",
        "2026-03-01T12:00.5Z",
        "2026-03-01T12:00:61Z",
        "2026-03-01T12:60:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01Z",
        "2026-03-01x12:00",
        "2026-03-01T12:00:00[UTC]",
        "２026-03-01",
        "\0",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        datetimes.parse(text, "UTC")


@pytest.mark.parametrize(
    ("text", "timezone"),
    [("0001-01-01", "Asia/Tokyo"), ("9999-12-31T23:59:59-12:00", "UTC"), ("0001-01-01T00:00:00+14:00", "UTC")],
)
def test_a_moment_beyond_the_calendar_is_refused(text: str, timezone: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        datetimes.parse(text, timezone)


PARTS = st.sampled_from([*"0123456789-:TtZz+.,W ", "2015-06-30", "T23:59:60", "10:05:03", "+00:00", ".123456789"])


@search(300)
@given(
    text=st.just("2015-05-17T10:05:03.123456+00:00") | st.just("2015-05-17T10:05:03Z"),
    at=st.integers(0, 32),
    gone=st.integers(0, 8),
    part=PARTS,
)
def test_the_form_that_is_read_quickly_is_read_like_any_other(text: str, at: int, gone: int, part: str) -> None:
    def outcome(read: Callable[[str, str], datetime]) -> datetime | None:
        try:
            return read(changed, "UTC")
        except ValueError:
            return None

    changed = text[:at] + part + text[at + gone :]
    assert outcome(datetimes.parse) == outcome(datetimes._in_any_form)
