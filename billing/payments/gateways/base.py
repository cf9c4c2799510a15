"""What Tollgate needs of a payment gateway. Nothing outside this package knows a gateway's own objects.

Taking money is three steps, so that a lost answer never charges twice:

1. `create` makes an intent, which moves no money. Commit its id.
2. `confirm` charges it.
3. Whenever it is unclear what happened, `retrieve` says.

Idempotency keys are `<payment>:create` and `<payment>:confirm:<n>`. Raise n only after `retrieve` showed that nothing
happened. No card number ever reaches us: people type it on the gateway's own pages.
Call a gateway outside transactions.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Protocol

from billing.payments.gateways.objects import (
    Card,
    CustomerDetails,
    Dispute,
    GatewayEvent,
    Intent,
    Refund,
    Session,
    Setup,
)
from billing.payments.minor_units import Money

# In a success URL, the gateway replaces this by the session's id.
SESSION_ID = "{CHECKOUT_SESSION_ID}"


class Gateway(Protocol):
    """Every method may raise `GatewayUnavailable` and `GatewayMisconfigured`, and if it writes, `GatewayRefused`.

    Methods that take an object's id may raise `UnknownObject`.
    """

    name: str

    def customer(self, details: CustomerDetails, *, idempotency_key: str) -> str:
        """Make a customer; its id. Store it if none is stored yet."""

    def setup_session(
        self, *, customer: str, success_url: str, cancel_url: str, metadata: Mapping[str, str], idempotency_key: str
    ) -> Session:
        """A page that saves a card. `UnknownCustomer`. Put `SESSION_ID` into the success URL."""

    def checkout_session(
        self,
        *,
        customer: str,
        money: Money,
        description: str,
        success_url: str,
        cancel_url: str,
        expires_at: datetime,
        metadata: Mapping[str, str],
        idempotency_key: str,
    ) -> Session:
        """A page that takes a payment and saves its card. It lasts 30 minutes to 24 hours.

        `metadata` is copied to the intent, which the page makes when it is paid: `session.intent` is empty until then.
        A decline on the page is no end: people try another card there until the session expires.
        """

    def session(self, id: str) -> Session: ...

    def expire_session(self, id: str) -> Session:
        """Close the page. `UnexpectedState` if it is complete: then retrieve it."""

    def save_card(
        self, *, customer: str, token: str, return_url: str, metadata: Mapping[str, str], idempotency_key: str
    ) -> Setup:
        """Save a card by a token of the gateway's browser component, authenticated for later. `UnknownToken`.

        It replaces `attach`, which skips the authentication, so that later charges are declined.
        """

    def setup(self, id: str) -> Setup: ...

    def card(self, token: str) -> Card:
        """`UnknownToken`."""

    def cards(self, customer: str) -> list[Card]:
        """Those that can be charged."""

    def detach(self, token: str) -> None:
        """Remove a card. One that is gone already is fine."""

    def create(
        self, *, customer: str, card: str, money: Money, description: str, metadata: Mapping[str, str],
        idempotency_key: str,
    ) -> Intent:  # fmt: skip
        """Make an intent. No money moves yet. `UnknownToken`, `UnknownCustomer`.

        `UnexpectedState` means that the key was used with other parameters: look with `find`.
        """

    def find(self, *, customer: str, metadata: Mapping[str, str], since: datetime) -> Intent | None:
        """The intent with this metadata, for a row whose `create` is older than an idempotency key lasts (20 hours)."""

    def confirm(self, id: str, *, card: str, return_url: str | None, idempotency_key: str) -> Intent:
        """Charge it. With a `return_url` the owner is present, and may have to go to `next_action_url`.

        A decline is an answer (`DECLINED`), as is a required authentication. `UnexpectedState`: retrieve.
        """

    def retrieve(self, id: str) -> Intent: ...

    def cancel(self, id: str) -> Intent:
        """Cancel it so it can't succeed later. If it already succeeded, the result says so. Canceling twice is fine."""

    def refund(self, *, intent: str, money: Money, metadata: Mapping[str, str], idempotency_key: str) -> Refund:
        """Give money back. `GatewayRefused` when there is less left, or when a dispute is open on it."""

    def retrieve_refund(self, id: str) -> Refund: ...

    def retrieve_dispute(self, id: str) -> Dispute: ...

    def events(self, since: datetime) -> Iterator[GatewayEvent]:
        """The events since a moment (inclusive), oldest first: the guarantee behind the webhooks. Kept for 30 days."""

    def intents(self, since: datetime) -> Iterator[Intent]:
        """All that were made since, for the daily comparison. So too `refunds` and `disputes`."""

    def refunds(self, since: datetime) -> Iterator[Refund]: ...

    def disputes(self, since: datetime) -> Iterator[Dispute]: ...

    def missing_permissions(self) -> list[str]:
        """The names of permissions that our credentials lack. Empty if all is well. Called at start."""
