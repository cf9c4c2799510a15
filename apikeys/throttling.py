"""Limits an address and an API key. An address is counted by one script in Redis, so that no two requests race; a key
where `apikeys.rate_limits` counts it for the gate as well."""

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.conf import settings
from redis import Redis
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.lib.addresses import client_address
from apikeys import rate_limits
from apikeys.authentication import KeyCredential
from apikeys.rate_limits import Count, Limit

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


class Throttle(BaseThrottle):
    """Counts the views that say `limited_by_address`, and the calls of keys with a limit of their own."""

    count: Count

    def allow_request(self, request: Request, view: "APIView") -> bool:
        count = _count(request, view)
        if count is None:
            return True
        self.count = count
        view.headers.update(count.headers)  # DRF sends these with the answer, a refusal included
        return count.allowed

    def wait(self) -> int:
        return self.count.retry_after


def _count(request: Request, view: "APIView") -> Count | None:
    if getattr(view, "limited_by_address", False):
        limit = Limit("address", client_address(request), settings.ANONYMOUS_RATE_LIMIT, ADDRESS_WINDOW_SECONDS)
        return take(limit, time.time())
    key = request.auth.key if isinstance(request.auth, KeyCredential) else None
    return rate_limits.take(key, time.time()) if key and key.rate_limit else None
