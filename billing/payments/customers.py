"""An organization's customer object at the payment gateway."""

from uuid import UUID

from accounts.lib import identifiers
from billing.models import BillingAccount, GatewayCustomer, PaymentMethod
from billing.payments.gateways import CustomerDetails, Gateway


def ensure(account: BillingAccount, gateway: Gateway) -> str:
    """The organization's customer at this gateway; made when it is first needed. Calls the gateway."""
    known = GatewayCustomer.objects.filter(organization=account.organization_id, gateway=gateway.name).first()
    if known:
        return known.customer
    details = CustomerDetails(
        account=account.public_id,
        name=account.name,
        email=account.email,
        country=account.country,
        line1=account.line1,
        line2=account.line2,
        city=account.city,
        state=account.state,
        postal_code=account.postal_code,
    )
    made = gateway.customer(details, idempotency_key=identifiers.uuid7().hex)
    # There's a race here: the first call to store its customer wins, and the other customer is never used.
    row, _ = GatewayCustomer.objects.get_or_create(
        organization_id=account.organization_id, gateway=gateway.name, defaults={"customer": made}
    )
    return row.customer


def forget(organization_id: UUID, gateway: Gateway) -> None:
    """The customer was deleted at the gateway, and its cards with it: the next call of `ensure` makes another."""
    PaymentMethod.objects.filter(organization=organization_id, gateway=gateway.name).update(
        declined_code="customer_deleted"
    )
    GatewayCustomer.objects.filter(organization=organization_id, gateway=gateway.name).delete()
