"""Cards on file, and buying credits with them.

A purchase is three steps: commit a pending payment; charge the gateway, with no transaction open and the payment's
id as the key; settle in a second transaction. Whoever finds a payment pending may take it up at the second step: the
request, its retry, or the sweep.
"""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.lib import countries, identifiers
from accounts.lib.money import LARGEST
from accounts.lib.problems import InvalidField
from accounts.models import Organization
from billing import accounts
from billing.exceptions import PaymentMethodRequired, PaymentReused
from billing.ledger import posting
from billing.models import LedgerEntry, Payment, PaymentMethod
from billing.payments import gateways

log = structlog.get_logger()

# A request that is still at work is left alone for this long before the sweep takes its payment up.
GRACE = timedelta(minutes=1)
SWEEP_SIZE = 100


def add_method(organization: Organization, token: str, *, id: UUID | None = None) -> PaymentMethod:
    """Keep a card; the first one is the default. An `id` that the caller made beforehand keeps it once."""
    accounts.required(organization)
    gateway = gateways.BY_NAME[settings.PAYMENT_GATEWAY]
    try:
        card = gateway.attach(token)
    except gateways.UnknownToken as error:
        raise InvalidField("gateway_token", "The payment gateway does not know this token.") from error
    with transaction.atomic():
        posting.lock([organization.pk])  # of two first cards at once, one is the default
        accounts.required(organization)  # which may have been closed meanwhile
        method, _ = PaymentMethod.objects.get_or_create(
            pk=id or identifiers.uuid7(),
            organization=organization,
            defaults={
                "gateway": gateway.name,
                "gateway_token": card.token,
                "brand": card.brand,
                "last4": card.last4,
                "exp_month": card.exp_month,
                "exp_year": card.exp_year,
                "is_default": not PaymentMethod.objects.of(organization).filter(is_default=True).exists(),
            },
        )
        return method


def begin(
    organization: Organization, *, amount: Decimal, method: str | None, by: str, id: UUID | None = None
) -> Payment:
    """Commit a pending payment for `amount` credits, with the named card or the default one.

    `by` is the id of the credential. An `id` that the caller made beforehand begins one payment, however often it
    comes: the first one is returned.
    """
    accounts.required(organization)
    with transaction.atomic():
        posting.lock([organization.pk])  # neither a closed account nor a removed card takes a new payment
        card = _card(organization, method)
        about = {"organization_id": organization.pk, "method_id": card.pk, "amount": amount}
        currency = accounts.settle_currency(accounts.required(organization))
        check_amount(amount, currency)
        payment, _ = Payment.objects.get_or_create(
            pk=id or identifiers.uuid7(),
            defaults={**about, "currency": currency, "created_by": by},
        )
    if any(getattr(payment, name) != value for name, value in about.items()):
        raise PaymentReused
    return payment


def _card(organization: Organization, public_id: str | None) -> PaymentMethod:
    cards = PaymentMethod.objects.of(organization)
    if public_id is None:
        default = cards.filter(is_default=True).first()
        if default is None:
            raise PaymentMethodRequired
        return default
    try:
        named = cards.filter(pk=identifiers.uuid_of(public_id, "pm_")).first()
    except ValueError:
        named = None
    if named is None:
        raise InvalidField("payment_method", "There is no such payment method.")
    return named


def check_amount(amount: Decimal, currency: str) -> None:
    """Refuse what the currency can't be charged with."""
    decimals = countries.decimals_of(currency)
    if not 0 < amount <= LARGEST:
        raise InvalidField("amount", f"Must be more than 0 and at most {LARGEST}.")
    if amount != round(amount, decimals):
        raise InvalidField("amount", f"{currency} is charged with at most {decimals} decimals.")


def complete(payment_id: UUID) -> Payment:
    """Charge a pending payment and settle it. Repeated, or run twice at once, it has one effect."""
    payment = Payment.objects.select_related("method").get(pk=payment_id)
    if payment.status != Payment.Status.PENDING:
        return payment
    gateway = gateways.BY_NAME[payment.method.gateway]
    try:
        charge = gateway.charge(
            token=payment.method.gateway_token,
            amount=payment.amount,
            currency=payment.currency,
            idempotency_key=payment.pk.hex,
        )
    except gateways.GatewayUnavailable:
        log.warning("gateway unavailable", payment=payment.public_id)
        return payment
    return settle(payment_id, charge)


@transaction.atomic
def settle(payment_id: UUID, charge: gateways.Charge) -> Payment:
    """Write down what the gateway answered; a success is exactly one purchase in the ledger."""
    posting.lock(Payment.objects.filter(pk=payment_id).values_list("organization_id", flat=True))
    payment = Payment.objects.get(pk=payment_id)
    if payment.status != Payment.Status.PENDING or charge.status == Payment.Status.PENDING:
        return payment
    payment.status = charge.status
    payment.gateway_reference = charge.reference
    payment.failure_code = charge.failure_code
    payment.next_action_url = charge.next_action_url
    payment.settled_at = timezone.now()
    payment.save()
    if payment.status == Payment.Status.SUCCEEDED:
        posting.post(
            payment.organization_id,
            kind=LedgerEntry.Kind.PURCHASE,
            amount=payment.amount,
            description="Credits purchased",
            reference=payment.public_id,
            idempotency_key=f"payment:{payment.pk.hex}",
        )
    return payment


def settle_pending() -> int:
    """Take up the payments whose request never came to its end. Returns how many are settled now."""
    overdue = Payment.objects.filter(status=Payment.Status.PENDING, created_at__lte=timezone.now() - GRACE)
    # In any order, so that those which never come to an end do not keep the others waiting.
    ids = list(overdue.order_by("?").values_list("pk", flat=True)[:SWEEP_SIZE])
    return sum(_is_settled(payment_id) for payment_id in ids)


def _is_settled(payment_id: UUID) -> bool:
    """Whether the payment is settled now; what goes wrong with one does not keep the sweep from the others."""
    try:
        return complete(payment_id).status != Payment.Status.PENDING
    except Exception:
        log.exception("payment not settled", payment=payment_id.hex)
        return False
