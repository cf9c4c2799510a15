"""Who stands before the gateway's own pages: saves a card there, pays, authenticates."""

from typing import Protocol

from billing.payments.gateways import Decline
from billing.payments.gateways.sandbox import visits


class Person(Protocol):
    def complete(self, session_url: str, card: str) -> str | Decline:
        """Use the test card of that name; the address that the page sends back to, or why it was declined."""

    def authenticate(self, url: str, *, succeeded: bool) -> str:
        """The address that the page sends back to."""


class SandboxPerson:
    def complete(self, session_url: str, card: str) -> str | Decline:
        return visits.complete(session_url.rstrip("/").rpartition("/")[2], card)

    def authenticate(self, url: str, *, succeeded: bool) -> str:
        return visits.authenticate(url.rstrip("/").rpartition("/")[2], succeeded=succeeded)
