"""The results of gateway calls, as our own dataclasses instead of the gateway's objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.payments.minor_units import Money


@dataclass(frozen=True)
class Card:
    """What may be shown of a card, and the gateway's lasting token for it."""

    token: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    fingerprint: str = ""  # the same for the same number, whatever its token
    customer: str = ""  # empty once it is detached: such a card can't be charged


@dataclass(frozen=True)
class CustomerDetails:
    """Who pays. `account` is the billing account's public id."""

    account: str
    name: str
    email: str
    country: str
    line1: str = ""
    line2: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""


# Declines after which the card is not tried again without its owner: the networks fine retries after these.
_HARD_DECLINES = {
    "lost_card", "stolen_card", "pickup_card", "expired_card", "fraudulent", "merchant_blacklist", "invalid_account",
    "restricted_card", "revocation_of_authorization", "revocation_of_all_authorizations", "stop_payment_order",
}  # fmt: skip
_HARD_NETWORK_ADVICE = {"03", "21"}  # Mastercard's merchant advice codes


@dataclass(frozen=True)
class Decline:
    """Why a card was not charged."""

    code: str  # the general one: card_declined, expired_card, authentication_required, …
    decline_code: str = ""  # the issuer's: insufficient_funds, lost_card, …
    advice_code: str = ""  # do_not_try_again, try_again_later, confirm_card_data
    network_advice_code: str = ""

    @property
    def reason(self) -> str:
        """The most specific of the codes. The issuer's `generic_decline` says nothing, so `code` stands for it."""
        return self.code if self.decline_code in ("", "generic_decline") else self.decline_code

    @property
    def is_hard(self) -> bool:
        """Whether the card is not to be charged again unless its owner does it."""
        return (
            bool({self.code, self.decline_code} & _HARD_DECLINES)
            or self.advice_code == "do_not_try_again"
            or self.network_advice_code in _HARD_NETWORK_ADVICE
        )


class IntentState(StrEnum):
    CREATED = "created"  # nothing was tried yet
    PROCESSING = "processing"  # wait for the event
    ACTION_REQUIRED = "action_required"  # the card's owner must authenticate; confirm the same intent with a return URL
    SUCCEEDED = "succeeded"
    DECLINED = "declined"  # cancel it, so that it can't succeed later
    CANCELED = "canceled"


@dataclass(frozen=True)
class Intent:
    """One attempt to take money from one card."""

    id: str
    state: IntentState
    money: Money
    received: int  # minor units
    created_at: datetime
    customer: str = ""
    card: Card | None = None
    decline: Decline | None = None  # the last one; kept when it was canceled afterwards
    next_action_url: str = ""  # long; good for a redirect now, not for storing
    metadata: Mapping[str, str] | None = None


class SessionState(StrEnum):
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Session:
    """A page of the gateway's, which saves a card (`setup`) or takes a first payment and saves its card (`intent`)."""

    id: str
    state: SessionState
    url: str  # empty once it is no longer open
    expires_at: datetime
    customer: str
    intent: str = ""
    setup: str = ""
    card: Card | None = None  # of a completed setup; for a payment, see the intent's
    metadata: Mapping[str, str] | None = None


class SetupState(StrEnum):
    PENDING = "pending"
    ACTION_REQUIRED = "action_required"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Setup:
    """A card being authenticated, so that it can be charged later without its owner."""

    id: str
    state: SetupState
    customer: str
    card: Card | None = None
    decline: Decline | None = None
    next_action_url: str = ""
    metadata: Mapping[str, str] | None = None


class RefundState(StrEnum):
    PENDING = "pending"  # money is on its way; may still fail days later
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the money came back to us: reverse the entry


@dataclass(frozen=True)
class Refund:
    id: str
    state: RefundState
    money: Money
    intent: str
    created_at: datetime
    failure_reason: str = ""
    metadata: Mapping[str, str] | None = None


class DisputeState(StrEnum):
    INQUIRY = "inquiry"  # no money has moved
    OPEN = "open"
    WON = "won"
    LOST = "lost"
    CLOSED = "closed"  # an inquiry that came to nothing, or one that was prevented


@dataclass(frozen=True)
class Dispute:
    """The cardholder contests a charge. `withdrawn` and `reinstated` are what moved so far, in minor units.

    Both are in the dispute's currency and without the gateway's fee.
    """

    id: str
    state: DisputeState
    money: Money
    intent: str
    reason: str
    created_at: datetime
    withdrawn: int = 0
    reinstated: int = 0


class Subject(StrEnum):
    """The kind of object that an event is about, which tells us what to fetch."""

    INTENT = "intent"
    SESSION = "session"
    SETUP = "setup"
    CARD = "card"
    REFUND = "refund"
    DISPUTE = "dispute"
    CUSTOMER = "customer"  # it was deleted
    FRAUD_WARNING = "fraud_warning"  # `object_id` is the intent's
    OTHER = "other"  # nothing for us


@dataclass(frozen=True)
class GatewayEvent:
    """A nudge. Fetch the object that it names: events come late, twice and in any order."""

    id: str
    type: str  # the gateway's own name, such as payment_intent.succeeded
    created_at: datetime
    subject: Subject
    object_id: str
