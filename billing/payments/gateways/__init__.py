"""Payment gateways, by name. The installation chooses one for new cards; a card stays with the one that keeps it."""

from django.conf import settings

from billing.payments.gateways.base import SESSION_ID, Gateway
from billing.payments.gateways.copied import guarded
from billing.payments.gateways.errors import (
    GatewayError,
    GatewayMisconfigured,
    GatewayRefused,
    GatewayUnavailable,
    InvalidWebhook,
    UnexpectedState,
    UnknownCustomer,
    UnknownObject,
    UnknownToken,
)
from billing.payments.gateways.objects import (
    Card,
    CustomerDetails,
    Decline,
    Dispute,
    DisputeState,
    GatewayEvent,
    Intent,
    IntentState,
    Refund,
    RefundState,
    Session,
    SessionState,
    Setup,
    SetupState,
    Subject,
)
from billing.payments.gateways.sandbox import SandboxGateway
from billing.payments.gateways.stripe import StripeGateway

BY_NAME = {gateway.name: guarded(gateway) for gateway in (SandboxGateway(), StripeGateway())}


def chosen() -> Gateway | None:
    """The installation's gateway; None if it takes no payments."""
    return BY_NAME.get(settings.PAYMENT_GATEWAY)


__all__ = [
    "BY_NAME",
    "SESSION_ID",
    "Card",
    "CustomerDetails",
    "Decline",
    "Dispute",
    "DisputeState",
    "Gateway",
    "GatewayError",
    "GatewayEvent",
    "GatewayMisconfigured",
    "GatewayRefused",
    "GatewayUnavailable",
    "Intent",
    "IntentState",
    "InvalidWebhook",
    "Refund",
    "RefundState",
    "Session",
    "SessionState",
    "Setup",
    "SetupState",
    "Subject",
    "UnexpectedState",
    "UnknownCustomer",
    "UnknownObject",
    "UnknownToken",
    "chosen",
]
