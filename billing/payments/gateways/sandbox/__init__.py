"""A gateway without money and without faults: it knows Stripe's test cards, and answers as Stripe's test mode does."""

from billing.payments.gateways.sandbox.cards import CARDS
from billing.payments.gateways.sandbox.gateway import SandboxGateway

__all__ = ["CARDS", "SandboxGateway"]
