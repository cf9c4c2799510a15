"""Limits an address and an API key: one script in Redis counts and decides, so that no two requests race."""

import math
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.conf import settings
from redis import Redis
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.addresses import client_address
from apikeys.authentication import KeyCredential
from apikeys.models import ApiKey

if TYPE_CHECKING:  # DRF's views import this module
    from rest_framework.views import APIView

ADDRESS_WINDOW_SECONDS = 60

# A sliding window from two fixed ones: what is left of the one before counts in proportion.
SCRIPT = """
local current = tonumber(redis.call('GET', KEYS[1]) or '0')
local before = tonumber(redis.call('GET', KEYS[2]) or '0')
if current + before * tonumber(ARGV[2]) >= tonumber(ARGV[1]) then return {0, current, before} end
redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], tonumber(ARGV[3]))
return {1, current + 1, before}
"""


@dataclass(frozen=True)
class Limit:
    """At most `limit` in any `window` seconds, for `subject`. `policy` is its name in the headers."""

    policy: str
    subject: str
    limit: int
    window: int


@dataclass(frozen=True)
class Count:
    """What one request found: `current` in this fixed window with it, `before` in the last, `elapsed` of this one."""

    limit: Limit
    allowed: bool
    current: int
    before: int
    elapsed: float

    @property
    def remaining(self) -> int:
        left = 1 - self.elapsed / self.limit.window
        return max(math.floor(self.limit.limit - self.current - self.before * left), 0)

    @property
    def resets_in(self) -> int:
        """Seconds to the end of the fixed window."""
        return max(math.ceil(self.limit.window - self.elapsed), 1)

    @property
    def retry_after(self) -> int:
        """Seconds until one more is allowed, if nothing else is asked meanwhile."""
        free = self.limit.limit - self.current
        if free <= 0:
            return self.resets_in + math.ceil(self.limit.window * (1 - self.limit.limit / max(self.current, 1)))
        share = 1 - free / max(self.before, 1)
        return max(math.ceil(share * self.limit.window - self.elapsed), 1)

    @property
    def headers(self) -> dict[str, str]:
        limit = self.limit
        return {
            "RateLimit-Policy": f'"{limit.policy}";q={limit.limit};w={limit.window}',
            "RateLimit": f'"{limit.policy}";r={self.remaining};t={self.resets_in}',
        }


class _Counter:
    @cached_property
    def script(self) -> Any:
        client = Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2)
        return client.register_script(SCRIPT)


_counter = _Counter()


def take(limit: Limit, now: float) -> Count:
    """Count one more if the limit allows it. Of any number at once, just as many pass as the limit says."""
    number, elapsed = divmod(now, limit.window)
    keys = [f"{limit.policy}:{limit.subject}:{limit.window}:{int(number) - n}" for n in (0, 1)]
    arguments = [limit.limit, 1 - elapsed / limit.window, 2 * limit.window]
    allowed, current, before = _counter.script(keys=keys, args=arguments)
    return Count(limit, bool(allowed), int(current), int(before), elapsed)


def limit_of(key: ApiKey) -> Limit | None:
    """The key's own limit, which its direct calls and those that the gate asks about share."""
    if key.rate_limit is None or key.rate_limit_window_seconds is None:
        return None
    return Limit("key", key.public_id, key.rate_limit, key.rate_limit_window_seconds)


class Throttle(BaseThrottle):
    """Counts the views that say `limited_by_address`, and the calls of keys with a limit of their own."""

    count: Count

    def allow_request(self, request: Request, view: "APIView") -> bool:
        limit = _limit_for(request, view)
        if limit is None:
            return True
        self.count = take(limit, time.time())
        view.headers.update(self.count.headers)  # DRF sends these with the answer, a refusal included
        return self.count.allowed

    def wait(self) -> int:
        return self.count.retry_after


def _limit_for(request: Request, view: "APIView") -> Limit | None:
    if getattr(view, "limited_by_address", False):
        return Limit("address", client_address(request), settings.ANONYMOUS_RATE_LIMIT, ADDRESS_WINDOW_SECONDS)
    return limit_of(request.auth.key) if isinstance(request.auth, KeyCredential) else None
