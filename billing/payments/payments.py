"""Buying credits.

A purchase has three steps: commit a pending payment; charge the gateway with no transaction open and with the
payment's id as the idempotency key; settle the payment in a second transaction. The request, its retry and the sweep
may all continue a pending payment at the second step.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from accounts.lib import countries, identifiers
from accounts.lib.money import LARGEST
from accounts.lib.problems import InvalidField
from accounts.models import Organization
from billing import accounts
from billing.exceptions import PaymentReused
from billing.ledger import posting
from billing.models import LedgerEntry, Payment
from billing.payments import gateways, methods

log = structlog.get_logger()

# The sweep leaves a payment alone for this long: its request may still be working on it.
GRACE = timedelta(minutes=1)
SWEEP_SIZE = 100


def begin(
    organization: Organization, *, amount: Decimal, method: str | None, by: str, id: UUID | None = None
) -> Payment:
    """Commit a pending payment for `amount` credits, with the named card or the default one.

    `by` is the id of the credential. With an `id` made beforehand, a retry returns the first payment. The same id
    with another organization, card or amount is `PaymentReused`.
    """
    accounts.required(organization)
    with transaction.atomic():
        posting.lock([organization.pk])  # So that neither the account is closed nor the card removed meanwhile.
        card = methods.choose(organization, method)
        terms = {"organization_id": organization.pk, "method_id": card.pk, "amount": amount}
        currency = accounts.fix_currency(accounts.required(organization))
        check_amount(amount, currency)
        payment, _ = Payment.objects.get_or_create(
            pk=id or identifiers.uuid7(),
            defaults={**terms, "currency": currency, "created_by": by, "created_at": _next_moment(organization)},
        )
    if any(getattr(payment, name) != value for name, value in terms.items()):
        raise PaymentReused
    return payment


def _next_moment(organization: Organization) -> datetime:
    """Now, but later than the organization's last payment, also by the clock of another server. Under its lock."""
    last = Payment.objects.of(organization).aggregate(last=Max("created_at"))["last"]
    return max(timezone.now(), last + datetime.resolution) if last else timezone.now()


def check_amount(amount: Decimal, currency: str) -> None:
    """Refuse an amount that can't be charged in this currency."""
    decimals = countries.decimals_of(currency)
    if not 0 < amount <= LARGEST:
        raise InvalidField("amount", f"Must be more than 0 and at most {LARGEST}.")
    if amount != round(amount, decimals):
        raise InvalidField("amount", f"{currency} is charged with at most {decimals} decimals.")


def complete(payment_id: UUID) -> Payment:
    """Charge a pending payment and settle it. Repeated or concurrent calls have one effect."""
    payment = Payment.objects.select_related("method").get(pk=payment_id)
    if payment.status != Payment.Status.PENDING:
        return payment
    gateway = gateways.ONE_STEP[payment.method.gateway]
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
    """Record the gateway's answer. A success posts exactly one purchase."""
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
    """Complete the payments whose request was interrupted. Returns how many are settled now."""
    overdue = Payment.objects.filter(status=Payment.Status.PENDING, created_at__lte=timezone.now() - GRACE)
    # Random order, so that payments that never settle can't starve the others.
    ids = list(overdue.order_by("?").values_list("pk", flat=True)[:SWEEP_SIZE])
    return sum(_is_settled(payment_id) for payment_id in ids)


def _is_settled(payment_id: UUID) -> bool:
    """Whether the payment is settled now. A failure is logged, so that the sweep goes on with the next one."""
    try:
        return complete(payment_id).status != Payment.Status.PENDING
    except Exception:
        log.exception("payment not settled", payment=payment_id.hex)
        return False
