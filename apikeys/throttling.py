"""Limits an address and an API key. Both are counted by `apikeys.rate_limits`, as the gate counts a key's calls."""

import time
from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.lib.addresses import caller_network
from apikeys import rate_limits
from apikeys.authentication import KeyCredential
from apikeys.rate_limits import Count, Limit

if TYPE_CHECKING:  # DRF's views import this module
    from rest_framework.views import APIView

ADDRESS_WINDOW_SECONDS = 60


class Throttle(BaseThrottle):
    """Counts the views that say `limited_by_address`, and the calls of keys with a limit of their own."""

    count: Count

    def allow_request(self, request: Request, view: "APIView") -> bool:
        limit = _limit(request, view)
        if limit is None:
            return True
        self.count = rate_limits.take(limit, time.time())
        view.headers.update(self.count.headers)  # DRF sends these with the answer, a refusal included
        return self.count.allowed

    def wait(self) -> int:
        return self.count.retry_after


def _limit(request: Request, view: "APIView") -> Limit | None:
    if getattr(view, "limited_by_address", False):
        return Limit("address", caller_network(request), settings.ANONYMOUS_RATE_LIMIT, ADDRESS_WINDOW_SECONDS)
    key = request.auth.key if isinstance(request.auth, KeyCredential) else None
    return rate_limits.of_key(key) if key else None
