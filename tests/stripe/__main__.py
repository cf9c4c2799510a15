"""Run the stand-in for Stripe. It prints its address once it listens."""

import argparse
import os
import sys
from threading import Thread

from tests.stripe.server import Server


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.stripe", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input is closed")
    options = parser.parse_args()
    server = Server(options.port)
    if options.with_parent:
        Thread(target=_end_with_parent, daemon=True).start()
    print(server.state.address, flush=True)  # noqa: T201
    server.serve_forever()


def _end_with_parent() -> None:
    """Tests that are killed leave nothing behind."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
