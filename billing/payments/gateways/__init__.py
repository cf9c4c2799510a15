"""Payment gateways, by name. The installation chooses one for new cards; a card stays with the one that keeps it."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

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

CLASSES = {
    "sandbox": "billing.payments.gateways.sandbox.SandboxGateway",
    "stripe": "billing.payments.gateways.stripe.StripeGateway",
}


@cache
def named(name: str) -> Gateway:
    """Loaded when it is first asked for: Stripe's library takes a tenth of the time that a process takes to start."""
    return guarded(import_string(CLASSES[name])())


def chosen() -> Gateway | None:
    """The installation's gateway; None if it takes no payments."""
    return named(settings.PAYMENT_GATEWAY) if settings.PAYMENT_GATEWAY in CLASSES else None


__all__ = [
    "CLASSES",
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
    "named",
]
