"""Thirty seconds without each of the parts outside: `python -m tests.faults.outside [--seconds 30]`.

Its own `make run` charges cards at the stand-in for Stripe, and sends emails and webhooks to servers of the drill. Each
of these hangs in turn: it takes connections and answers nothing. Exits with 1 if a user notices more than
docs/operations.md says, or if something is missing or doubled afterwards.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from tests.faults.__main__ import free_port, prepare
from tests.stripe.process import ROOT, StandIn


class Sink:
    """A mail server or a receiver of webhooks, with what it has taken so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout
        self.lines, self.pid, self.port = process.stdout, process.pid, int(process.stdout.readline())
        self.taken: list[str] = []
        Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        self.taken.extend(line.strip() for line in self.lines)


@contextmanager
def sink(kind: str) -> Iterator[Sink]:
    command = [sys.executable, "-m", "tests.faults.sinks", kind]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Sink(process)
        finally:
            process.kill()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.outside", description="Parts outside hang.")
    parser.add_argument("--seconds", type=float, default=30, help="how long each hangs (default: %(default)s)")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="tgo", ignore_cleanup_errors=True) as folder,
        StandIn() as stand_in,
        sink("mail") as mail,
        sink("webhooks") as webhooks,
    ):
        os.environ |= {
            "PAYMENT_GATEWAY": "stripe",
            "STRIPE_SECRET_KEY": "sk_test_drill",
            "STRIPE_WEBHOOK_SECRETS": "whsec_drill",
            "STRIPE_API_BASE": stand_in.address,
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        prepare(Path(folder), "")
        os.environ["EMAIL_URL"] = f"smtp://127.0.0.1:{mail.port}"

        from tests.faults.outside_drill import Drill  # needs Django

        return Drill(stand_in, mail, webhooks, free_port(), Path(folder) / "log").run(options.seconds)


if __name__ == "__main__":
    sys.exit(main())
