"""The person on the gateway's own pages: saves a card, pays, authenticates."""

from typing import Protocol

from billing.payments.gateways import Decline
from billing.payments.gateways.sandbox import visits
from tests.stripe.process import StandIn


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


class StripePerson:
    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in

    def complete(self, session_url: str, card: str) -> str | Decline:
        result = self.stand_in.complete(session=session_url.rpartition("/")[2], card=card)
        return Decline(**result["decline"]) if "decline" in result else str(result["url"])

    def authenticate(self, url: str, *, succeeded: bool) -> str:
        return str(self.stand_in.authenticate(id=url.rpartition("/")[2], succeeded=succeeded)["url"])
