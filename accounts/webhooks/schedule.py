"""When a failed delivery is tried again, and when an endpoint that only fails is given up."""

import random
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from accounts.webhooks import sending

CIRCUIT = 3  # failures in a row, after which one delivery is the probe and the rest waits
DISABLE_AFTER = timedelta(days=5)
GONE = 410
THROTTLED = (429, 502, 504)
THROTTLE = timedelta(seconds=60)
JITTER = 0.2

# How long to wait after the first, second … failure; after the last one the delivery has failed.
DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MOST_ATTEMPTS = len(DELAYS) + 1


def delay(failures: int, answer: sending.Response, now: datetime) -> timedelta:
    """The schedule's, with jitter. Retry-After counts from that up to twice as long."""
    base = DELAYS[min(failures, len(DELAYS)) - 1]
    if answer.status in THROTTLED or answer.error == "timeout":
        base = max(base, THROTTLE)
    wanted = _retry_after(answer.retry_after, now)
    if wanted > base:
        return min(wanted, 2 * base)
    return base * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311


def _retry_after(text: str, now: datetime) -> timedelta:
    try:
        if text.isascii() and text.isdigit():
            return timedelta(seconds=min(int(text[:9]), 10**8))
        return parsedate_to_datetime(text) - now
    except (ValueError, TypeError, OverflowError):
        return timedelta()
