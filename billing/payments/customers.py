"""An organization's customer object at the payment gateway."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from django.db import transaction

from accounts.lib import identifiers
from accounts.lib.problems import Conflict
from accounts.models import Organization
from billing import clock
from billing.ledger import posting
from billing.models import BillingAccount, GatewayCustomer, PaymentMethod
from billing.payments import cards
from billing.payments.gateways import CustomerDetails, Gateway, UnknownCustomer

Result = TypeVar("Result")


class CustomerKnown(Conflict):
    """Two organizations can't be one customer at the gateway, or their payments would be mixed up."""

    code = "customer_known"
    detail = "This customer belongs to another organization."


def call(account: BillingAccount, gateway: Gateway, step: Callable[[str], Result]) -> Result:
    """Call the gateway with the organization's customer. If that was deleted, it is forgotten: `UnknownCustomer`."""
    customer = ensure(account, gateway)
    try:
        return step(customer)
    except UnknownCustomer:
        forget(gateway, customer)
        raise


def call_again(account: BillingAccount, gateway: Gateway, step: Callable[[str], Result]) -> Result:
    """As `call`, for a step that needs no card on file: once more with a new customer, if the first was deleted."""
    try:
        return call(account, gateway, step)
    except UnknownCustomer:
        return call(account, gateway, step)


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


def adopt(organization: Organization, gateway: str, customer: str) -> None:
    """Use a customer that another system created for the organization. `CustomerKnown` if it already belongs to an
    organization.
    """
    if GatewayCustomer.objects.filter(gateway=gateway, customer=customer).exclude(organization=organization).exists():
        raise CustomerKnown
    row, _ = GatewayCustomer.objects.get_or_create(
        organization=organization, gateway=gateway, defaults={"customer": customer}
    )
    if row.customer != customer:
        raise CustomerKnown("The organization is another customer there already.")


def owner_of(customer: str, gateway: Gateway) -> UUID | None:
    """The id of the organization that this customer stands for."""
    known = GatewayCustomer.objects.filter(gateway=gateway.name, customer=customer).first()
    return known.organization_id if known else None


@transaction.atomic
def forget(gateway: Gateway, customer: str) -> None:
    """The customer was deleted at the gateway, and its cards with it: the next call of `ensure` makes another.

    There's a race here: somebody may have forgotten it already, and saved a card with a new customer. That one stays,
    because only whoever deletes the row of this very customer marks the cards, under the payer's lock.
    """
    organization = owner_of(customer, gateway)
    if organization is None:
        return
    posting.lock([organization], clock.now_of(organization))
    deleted, _ = GatewayCustomer.objects.filter(gateway=gateway.name, customer=customer).delete()
    if deleted:
        for card in PaymentMethod.objects.filter(organization=organization, gateway=gateway.name, removed_at=None):
            cards.mark_declined(card, cards.DELETED)
