"""How long ago, and exactly when."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.templatetags.moments import ago, exact, relative

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(hours=23), "23 hours ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=29), "29 days ago"),
        (timedelta(days=30), "8 Feb 2026"),
        (timedelta(seconds=-5), "in a moment"),
        (timedelta(days=-2), "in 2 days"),
    ],
)
def test_time_is_told_in_the_largest_unit_that_fits(distance: timedelta, words: str) -> None:
    assert relative(NOW - distance, NOW) == words


def test_the_exact_time_is_that_of_the_persons_zone() -> None:
    with timezone.override("Europe/Paris"):
        assert exact(NOW) == "10 Mar 2026, 13:00:00 CET"


def test_the_exact_time_is_at_hand_and_can_be_focused() -> None:
    with time_machine.travel(NOW + timedelta(hours=2), tick=False):
        shown = ago(NOW)
    assert 'datetime="2026-03-10T12:00:00+00:00" title="10 Mar 2026, 12:00:00 UTC" tabindex="0">2 hours ago<' in shown
