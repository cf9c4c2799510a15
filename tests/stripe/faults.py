"""Faults that a test orders, each for one call and for so many times.

| kind | what happens |
|---|---|
| `cut_before`, `cut_after` | the connection is cut, without or with the effect |
| `held` | the effect and the answer come after `seconds` |
| `late` | the effect happens at once, the answer comes after `seconds` |
| `status` | `status` (500, 503, 429, 401, 403) without an effect; 502 and 200 are a proxy's HTML |
| `stored_500` | the effect happens, the answer is a 500, and the same key gets it again |
| `key_in_use` | 409 without an effect |
| `lock_timeout` | 429 with `Stripe-Should-Retry: true` |
| `decline` | the card is declined with `code`, `decline_code`, `advice_code` |
| `processing` | a confirmed intent has no outcome yet |
| `pending` | a refund has no outcome yet |
"""

from dataclasses import dataclass, field
from threading import Lock
from typing import Any


@dataclass
class Fault:
    call: str  # the operation's name, such as payment_intents.confirm
    kind: str
    times: int = 1
    skip: int = 0  # calls that go well before
    status: int = 500
    seconds: float = 0
    codes: dict[str, str] = field(default_factory=dict)


class Faults:
    def __init__(self) -> None:
        self._ordered: list[Fault] = []
        self._lock = Lock()

    def order(self, **fault: Any) -> None:
        with self._lock:
            self._ordered.append(Fault(**fault))

    def clear(self) -> None:
        with self._lock:
            self._ordered.clear()

    def take(self, call: str) -> Fault | None:
        """The fault of this call, if one is due."""
        with self._lock:
            for fault in self._ordered:
                if fault.call in (call, "*") and fault.times:
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None
