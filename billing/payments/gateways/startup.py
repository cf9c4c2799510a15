"""Checks the payment gateway at start, so that a problem doesn't show only at the first payment."""

from django.conf import settings

from billing.payments.gateways import GatewayMisconfigured, GatewayUnavailable, named


def problems() -> list[str]:
    """Sentences for operators; empty when all is well. Asks the gateway."""
    try:
        missing = named(settings.PAYMENT_GATEWAY).missing_permissions()
    except GatewayMisconfigured as error:
        return [f"The payment gateway does not accept our key: {error}"]
    except GatewayUnavailable as error:
        return [f"The payment gateway can't be reached: {error}"]
    return [f"Our key for the payment gateway lacks the permission for {name}." for name in missing]
