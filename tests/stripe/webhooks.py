"""Signed deliveries of events: automatically when events are made, or as a test orders them."""

import copy
import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Any

from stripe import WebhookSignature

from tests.stripe.state import Object, State

FORGED = "whsec_somebody_elses"


@dataclass
class Webhooks:
    """`mode`: `on` delivers from a thread, `first` before the answer that caused the event, `held` never."""

    state: State
    url: str = ""
    secrets: list[str] = field(default_factory=list)
    mode: str = "held"
    _queue: SimpleQueue[Object] = field(default_factory=SimpleQueue)
    _before_answer: list[Object] = field(default_factory=list)

    def start(self) -> None:
        self.state.on_event = self._made
        Thread(target=self._work, daemon=True).start()

    def _made(self, event: Object) -> None:
        if self.mode == "first":
            self._before_answer.append(event)
        elif self.mode == "on":
            self._queue.put(event)

    def deliver_first(self) -> None:
        """Those that are to arrive before the answer. Called without the lock: the receiver may call us."""
        while self._before_answer:
            self._post(self._before_answer.pop(0))

    def _work(self) -> None:
        while True:
            self._post(self._queue.get())

    def deliver(
        self,
        events: list[Object],
        *,
        copies: int = 1,
        seconds_off: int = 0,
        is_forged: bool = False,
        changes: dict[str, Any] | None = None,
    ) -> list[int]:
        """Send these, all at once; the statuses of the answers. `changes` are of the events' own members."""
        sent = [{**copy.deepcopy(event), **(changes or {})} for event in events for _ in range(copies)]
        with ThreadPoolExecutor(max(1, len(sent))) as pool:
            return list(pool.map(lambda event: self._post(event, seconds_off=seconds_off, is_forged=is_forged), sent))

    def _post(self, event: Object, *, seconds_off: int = 0, is_forged: bool = False) -> int:
        """The answer's status; 0 when there was none."""
        body = json.dumps(event)
        at = int(time.time()) + seconds_off
        headers = [
            WebhookSignature.generate_signature_header(body, secret, at)
            for secret in ([FORGED] if is_forged else self.secrets)
        ]
        signature = ",".join([headers[0], *(header.partition(",")[2] for header in headers[1:])])
        sent = {"Stripe-Signature": signature, "Content-Type": "application/json; charset=utf-8"}
        request = urllib.request.Request(self.url, body.encode(), sent)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0
