"""Tollgate connected to the stand-in. A `conftest.py` imports these."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.stripe.process import StandIn

SECRETS = ["whsec_first", "whsec_second"]


@pytest.fixture(scope="session")
def running_stand_in() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def stand_in(running_stand_in: StandIn, settings: Any) -> StandIn:
    """One process for all tests: each begins with an empty account."""
    settings.PAYMENT_GATEWAY = "stripe"
    settings.STRIPE_SECRET_KEY = "sk_test_tollgate"
    settings.STRIPE_WEBHOOK_SECRETS = SECRETS
    settings.STRIPE_API_BASE = running_stand_in.address
    running_stand_in.reset()
    running_stand_in.configure(silent=False, page_size=100, mode="held", secrets=SECRETS)
    return running_stand_in


@pytest.fixture
def deliveries(stand_in: StandIn) -> Iterator[list[tuple[bytes, str]]]:
    """What comes to our address: bodies and signatures."""
    received: list[tuple[bytes, str]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((body, self.headers["Stripe-Signature"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    stand_in.configure(url=f"http://127.0.0.1:{server.server_port}/webhooks/stripe")
    yield received
    server.shutdown()
