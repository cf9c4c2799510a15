"""Stripe, through its official library. Nothing outside this package knows Stripe's objects."""

from billing.payments.gateways.stripe.gateway import StripeGateway

__all__ = ["StripeGateway"]
