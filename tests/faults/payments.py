"""kill -9 of the web server and of the worker between each two steps of a payment: `python -m tests.faults.payments`.

It starts its own `make run`, which charges cards at the stand-in for Stripe and gets its webhooks. The stand-in holds a
call before or after its effect; then whoever waits for the answer is killed. In the end each card was charged once,
each balance has its credits once, and the stand-in's book agrees with the ledger. Exits with 1 if not.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.faults.__main__ import free_port, prepare
from tests.stripe.process import StandIn

SECRET = "whsec_drill"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.payments", description="kill -9 while money moves.")
    parser.add_argument("--rounds", type=int, default=3, help="how often at each point (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tgf") as folder, StandIn() as stand_in:
        os.environ |= {
            "PAYMENT_GATEWAY": "stripe",
            "STRIPE_SECRET_KEY": "sk_test_drill",
            "STRIPE_WEBHOOK_SECRETS": SECRET,
            "STRIPE_API_BASE": stand_in.address,
        }
        prepare(Path(folder), "")

        from tests.faults import payment_drill  # needs Django

        port = free_port()
        stand_in.configure(url=f"http://127.0.0.1:{port}/webhooks/stripe", secrets=[SECRET], mode="on")
        return payment_drill.run(stand_in, port, Path(folder) / "log", options.rounds)


if __name__ == "__main__":
    sys.exit(main())
