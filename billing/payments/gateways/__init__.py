"""Payment gateways, by name. The installation chooses one for new cards; a card stays with the one that keeps it."""

from billing.payments.gateways.base import SESSION_ID, Gateway, OneStepGateway
from billing.payments.gateways.errors import (
    GatewayError,
    GatewayMisconfigured,
    GatewayRefused,
    GatewayUnavailable,
    InvalidWebhook,
    UnexpectedState,
    UnknownCustomer,
    UnknownToken,
)
from billing.payments.gateways.objects import (
    Card,
    Charge,
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

BY_NAME: dict[str, Gateway] = {SandboxGateway.name: SandboxGateway(), StripeGateway.name: StripeGateway()}
ONE_STEP: dict[str, OneStepGateway] = {SandboxGateway.name: SandboxGateway()}  # until the callers have moved

__all__ = [
    "BY_NAME",
    "ONE_STEP",
    "SESSION_ID",
    "Card",
    "Charge",
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
    "OneStepGateway",
    "Refund",
    "RefundState",
    "Session",
    "SessionState",
    "Setup",
    "SetupState",
    "Subject",
    "UnexpectedState",
    "UnknownCustomer",
    "UnknownToken",
]
