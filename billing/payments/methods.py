"""Cards on file: adding, choosing and removing them. Changes happen under the payer's lock."""

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.lib import identifiers
from accounts.lib.problems import InvalidField, NotFound
from accounts.models import Organization
from billing import accounts
from billing.exceptions import PaymentMethodRequired
from billing.ledger import posting
from billing.models import AutoRecharge, PaymentMethod
from billing.payments import gateways


def add(organization: Organization, token: str, *, id: UUID | None = None) -> PaymentMethod:
    """Put a card on file. The first one is the default. With an `id` made beforehand, a retry adds nothing."""
    accounts.required(organization)
    gateway = gateways.ONE_STEP[settings.PAYMENT_GATEWAY]
    try:
        card = gateway.attach(token)
    except gateways.UnknownToken as error:
        raise InvalidField("gateway_token", "The payment gateway does not know this token.") from error
    with transaction.atomic():
        posting.lock([organization.pk])  # There's a race here: of two first cards, only one may become the default.
        accounts.required(organization)  # The account may have been closed while we waited.
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


def choose(organization: Organization, public_id: str | None) -> PaymentMethod:
    """The named card, or the default one. `PaymentMethodRequired` if there is no default."""
    methods = PaymentMethod.objects.of(organization)
    if public_id is None:
        default = methods.filter(is_default=True).first()
        if default is None:
            raise PaymentMethodRequired
        return default
    try:
        method = methods.filter(pk=identifiers.uuid_of(public_id, "pm_")).first()
    except ValueError:
        method = None
    if method is None:
        raise InvalidField("payment_method", "There is no such payment method.")
    return method


@transaction.atomic
def make_default(method: PaymentMethod) -> PaymentMethod:
    """Charge this card unless another is named. `NotFound` if it was removed in the meantime."""
    posting.lock([method.organization_id])
    on_file = PaymentMethod.objects.of(method.organization)
    if not on_file.filter(pk=method.pk).exists():
        raise NotFound
    on_file.exclude(pk=method.pk).update(is_default=False)
    on_file.filter(pk=method.pk).update(is_default=True)
    method.refresh_from_db(fields=["is_default"])
    return method


@transaction.atomic
def remove(method: PaymentMethod) -> None:
    """Remove a card. A payment under way goes on. If it was the default, the newest of the others becomes it."""
    posting.lock([method.organization_id])
    on_file = PaymentMethod.objects.of(method.organization)
    was_default = on_file.filter(pk=method.pk, is_default=True).exists()
    on_file.filter(pk=method.pk).update(removed_at=timezone.now(), is_default=False)
    AutoRecharge.objects.filter(payment_method=method).update(payment_method=None)
    newest = on_file.order_by("-created_at", "-pk").first()
    if was_default and newest:
        on_file.filter(pk=newest.pk).update(is_default=True)
