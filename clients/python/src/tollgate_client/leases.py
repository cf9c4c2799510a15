"""Leases: a slice of an organization's credits that a gateway spends by itself, without asking for each call.

A gateway never spends more than it was granted, except for calls that cost more than their estimates. It keeps at most
one slice idle, beside the estimates of calls in flight. What isn't spent comes back when the lease ends.
"""

import time
from dataclasses import dataclass, field
from decimal import Decimal
from threading import Lock, Thread
from typing import Any
from uuid import uuid4

from tollgate_client.client import Client
from tollgate_client.errors import Refused, TollgateError, Unreachable

REFILL = Decimal("0.3")  # of a slice: when less is left, we ask for more
MARGIN = 0.2  # of the time: when less is left, we extend the lease
QUIET = 1.0  # seconds before we ask again after a refusal or no answer


class OutOfCredits(TollgateError):
    """The lease doesn't cover the call. Nothing is spent."""


@dataclass
class Spending:
    """Credits set aside for one call. Name `hold` in its usage event."""

    lease: "Lease"
    hold: str
    estimate: Decimal

    def settle(self, actual: Decimal) -> None:
        """Set the actual cost of the call. The rest of the estimate can be spent again."""
        self.lease.settle(self, actual)


@dataclass(frozen=True)
class _Request:
    """A request for an extension, or for a new lease if `hold` is None. It keeps its key until it's answered."""

    hold: str | None
    amount: Decimal
    minimum: Decimal
    at: float
    key: str = field(default_factory=lambda: str(uuid4()))


class Lease:
    """Spends slices of `slice_` credits of one organization. Safe to share between threads.

    A slice can be spent for `ttl_seconds` unless it's extended. Its usage may arrive up to `grace_seconds` later:
    choose a longer time than a reporter is ever cut off. `terms` go to `Client.take_lease`.
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
        self._state, self._asking = Lock(), Lock()  # _asking is held while we wait for Tollgate
        self._hold: str | None = None
        self._left = Decimal(0)
        self._until = self._quiet_until = 0.0
        self._unanswered: _Request | None = None

    def spend(self, estimate: Decimal) -> Spending:
        """Sets `estimate` aside for a call that is about to be made. `OutOfCredits` if the lease can't cover it.

        Only a call that isn't covered waits for Tollgate. The others go on while a thread asks for more.
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
        """Gives back what was not spent. Report the usage that was spent from it first: flush the reporter."""
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
        """Extends the lease and fills it up, or takes a new one. If that fails, what was granted can still be spent."""
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
            return self._ask(estimate)  # for a new one, which can't have ended yet
        if request.hold and request.amount:  # there are no more credits, so ask only for more time
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
            self._hold, self._until = hold, request.at + self.ttl_seconds  # by our own clock, from before the request
            self._unanswered = None


def _now() -> float:
    """Seconds of a clock that also runs while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
