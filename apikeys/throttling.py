"""Limits on anonymous endpoints, an address: one script in Redis counts and decides, so that no two requests race."""

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.conf import settings
from redis import Redis
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.addresses import client_address

if TYPE_CHECKING:  # DRF's views import this module
    from rest_framework.views import APIView

WINDOW_SECONDS = 60

# A sliding window from two fixed ones: what is left of the one before counts in proportion.
SCRIPT = """
local current = tonumber(redis.call('GET', KEYS[1]) or '0')
local before = tonumber(redis.call('GET', KEYS[2]) or '0')
local used = current + before * tonumber(ARGV[2])
if used >= tonumber(ARGV[1]) then return {0, 0} end
redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], tonumber(ARGV[3]))
return {1, math.floor(tonumber(ARGV[1]) - used - 1)}
"""


class _Counter:
    @cached_property
    def script(self) -> Any:
        client = Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2)
        return client.register_script(SCRIPT)

    def take(self, address: str, limit: int, now: float) -> tuple[bool, int]:
        """Whether one more is allowed, and how many remain."""
        window, elapsed = divmod(now, WINDOW_SECONDS)
        keys = [f"address:{address}:{int(window) - n}" for n in (0, 1)]
        allowed, remaining = self.script(keys=keys, args=[limit, 1 - elapsed / WINDOW_SECONDS, 2 * WINDOW_SECONDS])
        return bool(allowed), max(int(remaining), 0)


_counter = _Counter()


class AddressThrottle(BaseThrottle):
    """Counts the views that say `limited_by_address`; the others pass."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        if not getattr(view, "limited_by_address", False):
            return True
        limit, now = settings.ANONYMOUS_RATE_LIMIT, time.time()
        allowed, remaining = _counter.take(client_address(request), limit, now)
        view.headers.update(  # DRF sends these with the answer, a refusal included
            {
                "RateLimit-Policy": f'"address";q={limit};w={WINDOW_SECONDS}',
                "RateLimit": f'"address";r={remaining};t={self.wait()}',
            }
        )
        return allowed

    def wait(self) -> int:
        """Seconds to the end of the window."""
        return WINDOW_SECONDS - int(time.time()) % WINDOW_SECONDS
