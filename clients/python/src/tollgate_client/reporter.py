"""Usage reporting: events are written to a file, sent in batches, and deleted when Tollgate has acknowledged them."""

import logging
from datetime import UTC, datetime
from decimal import Decimal
from threading import Event, Thread
from types import TracebackType
from typing import Any
from uuid import uuid4

from tollgate_client.client import Client
from tollgate_client.errors import Refused, Unreachable
from tollgate_client.spool import Spool
from tollgate_client.types import EventResult, UsageEvent

BATCH = 1000
UNFIT = (400, 413)  # the batch has an event that can't be read, or is too large

log = logging.getLogger(__name__)


class Reporter:
    """Sends usage from a spool in the background, at most `every` seconds after it was reported.

    After a crash between sending and the answer, the same ids are sent again. Tollgate counts each once.
    """

    def __init__(self, client: Client, spool: Spool, *, every: float = 1) -> None:
        self.client, self.spool, self.every = client, spool, every
        self._added = 0  # since the last attempt, more or less
        self._wake, self._stop = Event(), Event()
        self._thread = Thread(target=self._run, name="tollgate-reporter", daemon=True)
        self._thread.start()

    def report(self, **event: Any) -> str:
        """Writes down one event, with the members of `POST /v1/usage/events`. Returns its id, a new one unless given.

        Without `occurred_at` it occurred now, not when it's sent.
        """
        event = {"id": str(uuid4()), "occurred_at": datetime.now(UTC).isoformat(), **event}
        self.spool.add([event])
        self._added += 1
        if self._added >= BATCH:
            self._wake.set()
        return str(event["id"])

    def flush(self) -> int:
        """Sends everything that waits. Returns how many events Tollgate acknowledged. `Unreachable` leaves the rest."""
        sent, self._added = 0, 0
        while batch := self.spool.oldest(BATCH):
            self._send(batch)
            sent += len(batch)
        return sent

    def _send(self, batch: list[tuple[int, UsageEvent]]) -> None:
        """Sends a batch. If its content is refused, sends it in halves until the bad event is found."""
        try:
            self._settle(batch, self.client.send_usage([event for _, event in batch]))
        except Refused as refusal:
            if refusal.status not in UNFIT:
                raise
            if len(batch) == 1:
                self._settle(batch, [_rejection(refusal)])
                return
            middle = len(batch) // 2
            self._send(batch[:middle])
            self._send(batch[middle:])

    def _settle(self, batch: list[tuple[int, UsageEvent]], results: list[EventResult]) -> None:
        places = [place for place, _ in batch]
        rejected = {
            place: result for place, result in zip(places, results, strict=True) if result["result"] == "rejected"
        }
        for result in rejected.values():
            log.error("usage rejected: %s %s", result.get("code"), result.get("detail"))
        self.spool.settle(places, rejected)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(self.every)
            self._wake.clear()
            self._attempt()

    def _attempt(self) -> None:
        try:
            self.flush()
        except Unreachable as error:
            log.warning("usage waits: %s", error)
        except Refused as error:  # the key or its scopes: nothing is lost
            log.error("usage refused: %s %s", error.code, error)
        except Exception:  # for example a full disk: the thread goes on and tries again
            log.exception("usage not sent")

    def close(self) -> None:
        """Stops after one more attempt to send. What can't be sent stays in the spool."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._attempt()

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _rejection(refusal: Refused) -> EventResult:
    return {"id": None, "result": "rejected", "credits": Decimal(0), "code": refusal.code, "detail": str(refusal)}
