"""Leases: a slice of an organization's credits that a gateway spends by itself, without asking for each call.

Never more is spent than was granted, but for calls that cost more than was estimated. What is not spent comes back when
the lease is returned, or by itself when it expires.
"""

import time
from dataclasses import dataclass
from decimal import Decimal
from threading import RLock
from typing import Any

from tollgate_client.client import Client
from tollgate_client.errors import Refused, TollgateError, Unreachable

REFILL = Decimal("0.3")  # of a slice: when no more is left, the next one is taken
MARGIN = 0.2  # of the time: when no more is left, the lease is prolonged
QUIET = 1.0  # seconds: after a refusal, so long nothing more is asked for while there is something left


class OutOfCredits(TollgateError):
    """What the call costs is not there to be spent; or it is not known, and then nothing is spent."""


@dataclass
class Spending:
    """What was set aside for one call. Its usage event names `hold`."""

    lease: "Lease"
    hold: str
    estimate: Decimal

    def settle(self, actual: Decimal) -> None:
        """Say what the call has cost: what was set aside too much can be spent again."""
        self.lease.settle(self, actual)


class Lease:
    """Spends slices of `slice_` credits of one organization. Safe to share between threads.

    `ttl_seconds` is how long a slice is spent from before it is prolonged, and `grace_seconds` how long after that
    usage may still arrive: longer than a reporter is ever cut off. `terms` go to `Client.take_lease`.
    """

    def __init__(
        self,
        client: Client,
        organization: str,
        slice_: Decimal,
        *,
        ttl_seconds: int = 60,
        grace_seconds: int = 60,
        **terms: Any,
    ) -> None:
        self.client, self.organization, self.slice = client, organization, Decimal(slice_)
        self.ttl_seconds = ttl_seconds
        self.terms = {"ttl_seconds": ttl_seconds, "grace_seconds": grace_seconds, **terms}
        self._lock = RLock()
        self._hold: str | None = None
        self._left = Decimal(0)
        self._until = self._quiet_until = 0.0

    def spend(self, estimate: Decimal) -> Spending:
        """Set `estimate` aside for a call that is about to be made; `OutOfCredits` where it can't be covered."""
        with self._lock:
            if self._wants(estimate):
                self._refill(estimate)
            if self._hold is None or self._is_over() or self._left < estimate:
                raise OutOfCredits(f"{estimate} credits are not there to be spent")
            self._left -= estimate
            return Spending(self, self._hold, estimate)

    def _wants(self, estimate: Decimal) -> bool:
        """Whether to ask for more. After a refusal, what is left is spent first."""
        if self._left < estimate or time.monotonic() >= self._until - self.ttl_seconds * MARGIN:
            return True
        return self._left - estimate < self.slice * REFILL and time.monotonic() >= self._quiet_until

    def settle(self, spending: Spending, actual: Decimal) -> None:
        with self._lock:
            if spending.hold == self._hold:
                self._left += spending.estimate - actual

    def close(self) -> None:
        """Give back what was not spent. Usage that was made from it has to be reported before: flush the reporter."""
        with self._lock:
            if self._hold is not None:
                self.client.return_lease(self._hold)
                self._hold, self._left = None, Decimal(0)

    def _is_over(self) -> bool:
        return time.monotonic() >= self._until

    def _refill(self, estimate: Decimal) -> None:
        """Prolong the lease, with as much more as is wanted, or take another. Cut off, what was granted goes on."""
        wanted = max(self.slice, estimate) if self._left - estimate < self.slice * REFILL else Decimal(0)
        asked_at = time.monotonic()  # our own clock, from before we asked
        try:
            if not self._prolong(wanted):
                self._take(max(self.slice, estimate), estimate)
            self._until = asked_at + self.ttl_seconds
        except (Refused, Unreachable) as error:
            self._quiet_until = asked_at + QUIET
            if isinstance(error, Refused) and wanted and self._hold and self._prolong(Decimal(0)):
                self._until = asked_at + self.ttl_seconds  # no more credits, but more time for what is left

    def _prolong(self, wanted: Decimal) -> bool:
        if self._hold is None:
            return False
        try:
            self.client.extend_lease(self._hold, wanted, self.ttl_seconds)
        except Refused as refusal:
            if refusal.code != "lease_ended":
                raise
            self._hold, self._left = None, Decimal(0)
            return False
        self._left += wanted
        return True

    def _take(self, wanted: Decimal, minimum: Decimal) -> None:
        said = self.client.take_lease(self.organization, wanted, minimum=minimum, **self.terms)
        self._hold, self._left = said["id"], Decimal(said["amount"])
