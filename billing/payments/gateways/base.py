"""What Tollgate asks of a payment gateway. Amounts are in the currency's main unit; no card number ever comes here."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol


@dataclass(frozen=True)
class Card:
    """What may be shown of a card, and the gateway's lasting token for it."""

    token: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True)
class Charge:
    """The gateway's answer. `status` is one of `Payment.Status`."""

    status: str
    reference: str = ""
    failure_code: str = ""
    next_action_url: str = ""


class UnknownToken(Exception):
    """The gateway does not know the token."""


class GatewayUnavailable(Exception):
    """The gateway did not answer: whether it charged is not known, so the same charge is asked for again."""


class Gateway(Protocol):
    name: str

    def attach(self, token: str) -> Card:
        """Keep a card for later charges. `UnknownToken`."""

    def charge(self, *, token: str, amount: Decimal, currency: str, idempotency_key: str) -> Charge:
        """Charge once for this key, however often it is called. A decline is an answer. `GatewayUnavailable`."""
