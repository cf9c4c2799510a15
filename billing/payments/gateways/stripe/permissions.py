"""Whether our key may do what we need: one cheap read of each resource. Whether it may write shows at the first use."""

from collections.abc import Callable
from typing import Any

import stripe
from stripe import StripeClient

from billing.payments.gateways.stripe.client import READ, client, translated

ONE: Any = {"limit": 1}
# By the names that Stripe's dashboard has for the permissions of a restricted key.
_READS: dict[str, Callable[[StripeClient], Any]] = {
    "Customers": lambda api: api.v1.customers.list(ONE, READ),
    "PaymentIntents": lambda api: api.v1.payment_intents.list(ONE, READ),
    "SetupIntents": lambda api: api.v1.setup_intents.list(ONE, READ),
    "PaymentMethods": lambda api: api.v1.payment_methods.list(ONE, READ),
    "Checkout Sessions": lambda api: api.v1.checkout.sessions.list(ONE, READ),
    "Charges and Refunds": lambda api: api.v1.refunds.list(ONE, READ),
    "Disputes": lambda api: api.v1.disputes.list(ONE, READ),
    "Events": lambda api: api.v1.events.list(ONE, READ),
}


def missing() -> list[str]:
    """The permissions that the key lacks. `GatewayMisconfigured` when Stripe doesn't know the key at all."""
    return [name for name, read in _READS.items() if not _is_permitted(read)]


def _is_permitted(read: Callable[[StripeClient], Any]) -> bool:
    with translated():
        try:
            read(client())
        except stripe.PermissionError:
            return False
    return True
