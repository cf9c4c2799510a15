"""The stand-in as tests hold it: started, told what to do, asked what happened, and ended."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]


class StandIn:
    """A context manager. `stand_in.complete(session=…, card=…)` and so on are the verbs of `tests.stripe.control`."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.stripe", "--with-parent"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.address = self.process.stdout.readline().strip()
        return self

    def __exit__(self, *reason: object) -> None:
        self.process.kill()
        self.process.communicate()

    def __getattr__(self, verb: str) -> Any:
        if verb.startswith("_"):
            raise AttributeError(verb)
        return lambda **arguments: self._tell(verb, arguments)

    def _tell(self, verb: str, arguments: dict[str, Any]) -> Any:
        request = urllib.request.Request(f"{self.address}/control/{verb}", json.dumps(arguments).encode())
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{verb}: {error.read().decode()}") from error

    def fault(self, call: str, kind: str, **details: Any) -> None:
        """The next call of that name, such as `payment_intents.confirm`, fails like this: `tests.stripe.faults`."""
        self._tell("fault", {"call": call, "kind": kind, **details})

    def moved(self, kind: str = "received", *, intent: str = "", customer: str = "") -> int:
        """The minor units that really moved."""
        book = self._tell("book", {})
        rows = [row for row in book if row["kind"] == kind]
        return sum(row["minor"] for row in rows if intent in ("", row["intent"]) and customer in ("", row["customer"]))
