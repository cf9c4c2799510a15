"""Leases: a slice of an organization's credits that a gateway spends by itself, without asking for each call.

Never more is spent than was granted, but for calls that cost more than was estimated. At most one slice is granted and
not set aside for calls, beside what calls in flight were estimated to cost and gave back. What is not spent comes back
when the lease is returned, or by itself when it expires.
"""

import time
from dataclasses import dataclass, field
from decimal import Decimal
from threading import Lock, Thread
from typing import Any
from uuid import uuid4

from tollgate_client.client import Client
from tollgate_client.errors import Refused, TollgateError, Unreachable

REFILL = Decimal("0.3")  # of a slice: when no more is left, it is filled up
MARGIN = 0.2  # of the time: when no more is left, the lease is prolonged
QUIET = 1.0  # seconds: after no, or no answer, so long nothing more is asked for


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


@dataclass(frozen=True)
class _Request:
    """An extension of a lease, or of none, a new one: asked with one key until it is answered."""

    hold: str | None
    amount: Decimal
    minimum: Decimal
    at: float
    key: str = field(default_factory=lambda: str(uuid4()))


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
        self._state, self._asking = Lock(), Lock()  # the second one is held while Tollgate is asked
        self._hold: str | None = None
        self._left = Decimal(0)
        self._until = self._quiet_until = 0.0
        self._unanswered: _Request | None = None

    def spend(self, estimate: Decimal) -> Spending:
        """Set `estimate` aside for a call that is about to be made; `OutOfCredits` where it can't be covered.

        Only a call that is not covered waits for Tollgate; the others go on while more is asked for.
        """
        if not self._covers(estimate):
            with self._asking:
                if not self._covers(estimate) and not self._is_quiet():
                    self._ask(estimate)
        elif self._is_low(estimate) and not self._is_quiet() and self._asking.acquire(blocking=False):
            Thread(target=self._ask_beside, args=[estimate], name="tollgate-lease", daemon=True).start()
        with self._state:
            if self._hold is None or not self._covers(estimate):
                raise OutOfCredits(f"{estimate} credits are not there to be spent")
            self._left -= estimate
            return Spending(self, self._hold, estimate)

    def settle(self, spending: Spending, actual: Decimal) -> None:
        with self._state:
            if spending.hold == self._hold:
                self._left += spending.estimate - actual

    def close(self) -> None:
        """Give back what was not spent. Usage that was made from it has to be reported before: flush the reporter."""
        with self._asking, self._state:
            hold, self._hold, self._left = self._hold, None, Decimal(0)
        if hold is not None:
            try:
                self.client.return_lease(hold)
            except Refused as refusal:
                if refusal.code != "hold_resolved":
                    raise

    def _covers(self, estimate: Decimal) -> bool:
        return self._hold is not None and self._left >= estimate and _now() < self._until

    def _is_low(self, estimate: Decimal) -> bool:
        return self._left - estimate < self.slice * REFILL or _now() >= self._until - self.ttl_seconds * MARGIN

    def _is_quiet(self) -> bool:
        return _now() < self._quiet_until

    def _ask_beside(self, estimate: Decimal) -> None:
        try:
            self._ask(estimate)
        finally:
            self._asking.release()

    def _ask(self, estimate: Decimal) -> None:
        """Fill the slice up and prolong it, or take another. Without a yes, what was granted is still spent."""
        missing = max(self.slice, estimate) - self._left
        wanted = missing if self._left - estimate < self.slice * REFILL else Decimal(0)
        request = self._unanswered or _Request(self._hold, wanted, max(estimate - self._left, Decimal(0)), _now())
        try:
            self._do(request)
        except Unreachable:
            self._unanswered, self._quiet_until = request, _now() + QUIET
        except Refused as refusal:
            self._unanswered = None
            self._refused(refusal, request, estimate)

    def _refused(self, refusal: Refused, request: _Request, estimate: Decimal) -> None:
        if refusal.code == "lease_ended":
            with self._state:
                self._hold, self._left = None, Decimal(0)
            return self._ask(estimate)  # for another: one that there is not yet can't have ended
        if request.hold and request.amount:  # no more credits, but more time for what is left
            self._unanswered = _Request(request.hold, Decimal(0), Decimal(0), _now())
            self._ask(estimate)
        self._quiet_until = _now() + QUIET
        return None

    def _do(self, request: _Request) -> None:
        if request.hold is not None:
            self.client.extend_lease(request.hold, request.amount, self.ttl_seconds, key=request.key)
            hold, more = request.hold, request.amount
        else:
            terms = {"minimum": request.minimum, **self.terms}
            lease = self.client.take_lease(self.organization, request.amount, key=request.key, **terms)
            hold, more = lease["id"], Decimal(lease["amount"])
        with self._state:
            self._left = self._left + more if hold == self._hold else more
            self._hold, self._until = hold, request.at + self.ttl_seconds  # our clock, from before we asked
            self._unanswered = None


def _now() -> float:
    """Seconds that also pass while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
