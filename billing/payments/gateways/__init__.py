"""Payment gateways, by name. The installation chooses one for new cards; a card stays with the one that keeps it."""

from billing.payments.gateways.base import Card, Charge, Gateway, GatewayUnavailable, UnknownToken
from billing.payments.gateways.sandbox import SandboxGateway

BY_NAME: dict[str, Gateway] = {SandboxGateway.name: SandboxGateway()}

__all__ = ["BY_NAME", "Card", "Charge", "Gateway", "GatewayUnavailable", "UnknownToken"]
