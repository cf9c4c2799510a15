"""Usage reporting: written down first, sent in batches, taken off the list when Tollgate has it."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Event, Thread
from types import TracebackType
from typing import Any
from uuid import uuid4

from tollgate_client.client import Client
from tollgate_client.errors import Refused, Unreachable
from tollgate_client.spool import Spool

BATCH = 1000
UNFIT = (400, 413)  # an event that can't be read, or too much at once

log = logging.getLogger(__name__)


class Reporter:
    """Reports usage from a spool in the background, at the latest `every` seconds after it was reported.

    A crash between sending and the answer sends the same ids again, and Tollgate counts each once.
    """

    def __init__(self, client: Client, spool: Spool, *, every: float = 1) -> None:
        self.client, self.spool, self.every = client, spool, every
        self._added = 0  # since the last attempt, more or less
        self._wake, self._stop = Event(), Event()
        self._thread = Thread(target=self._run, name="tollgate-reporter", daemon=True)
        self._thread.start()

    def report(self, **event: Any) -> str:
        """Write down one event, as `POST /v1/usage/events` takes it; its id, a new one unless given.

        What has no `occurred_at` occurred now, and not when it is sent.
        """
        event = {"id": str(uuid4()), "occurred_at": datetime.now(UTC).isoformat(), **event}
        self.spool.add([event])
        self._added += 1
        if self._added >= BATCH:
            self._wake.set()
        return str(event["id"])

    def flush(self) -> int:
        """Send all that waits, now; how many events Tollgate has taken note of. `Unreachable` leaves the rest."""
        sent, self._added = 0, 0
        while batch := self.spool.oldest(BATCH):
            self._send(batch)
            sent += len(batch)
        return sent

    def _send(self, batch: list[tuple[int, dict[str, Any]]]) -> None:
        """Send a batch; of one that is refused for what is in it, by halves, until it is known for which event."""
        try:
            self._settle(batch, self.client.send_usage([event for _, event in batch]))
        except Refused as refusal:
            if refusal.status not in UNFIT:
                raise
            if len(batch) == 1:
                self._settle(batch, [{"result": "rejected", "code": refusal.code, "detail": str(refusal)}])
                return
            middle = len(batch) // 2
            self._send(batch[:middle])
            self._send(batch[middle:])

    def _settle(self, batch: list[tuple[int, dict[str, Any]]], results: list[dict[str, Any]]) -> None:
        places = [place for place, _ in batch]
        rejected: dict[int, Mapping[str, Any]] = {
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
        except Refused as error:  # the key, or its rights: nothing is lost meanwhile
            log.error("usage refused: %s %s", error.code, error)
        except Exception:  # a full disk, say: the thread goes on, and what waits is sent when it can be
            log.exception("usage not sent")

    def close(self) -> None:
        """Stop, after one more attempt to send what waits. What could not be sent stays in the spool."""
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
