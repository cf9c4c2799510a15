"""Cards on file: choosing, changing and removing them. Changes happen under the payer's lock."""

from collections.abc import Mapping
from datetime import datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts.lib import identifiers
from accounts.lib.problems import InvalidField, NotFound
from accounts.lib.sentences import filled
from accounts.models import Organization
from billing import accounts, clock
from billing.exceptions import NoBillingAccount, PaymentMethodRequired
from billing.ledger import posting
from billing.models import AutoRecharge, Payment, PaymentMethod
from billing.payments import cards, customers, gateways
from billing.payments.gateways import Card, Setup, SetupState

log = structlog.get_logger()


def choose(organization: Organization, public_id: str | None, now: datetime) -> PaymentMethod:
    """The named card, or the default one. `PaymentMethodRequired` if there is no default. Not one that has expired."""
    methods = PaymentMethod.objects.of(organization)
    if public_id is None:
        method = methods.filter(is_default=True).first()
        if method is None:
            raise PaymentMethodRequired
    else:
        method = _named(methods, public_id)
    if method.last_day < now.date():
        raise InvalidField(
            "payment_method", filled("The card expired on %(day)s. Add another one.", day=f"{method.last_day:%Y-%m-%d}")
        )
    return method


def _named(methods: QuerySet[PaymentMethod], public_id: str) -> PaymentMethod:
    try:
        method = methods.filter(pk=identifiers.uuid_of(public_id, "pm_")).first()
    except ValueError:
        method = None
    if method is None:
        raise InvalidField("payment_method", "There is no such payment method.")
    return method


def chargeable_token(method: PaymentMethod) -> str:
    """What the gateway charges. A card of 0.1.0 was never saved with a customer; that is made up for here."""
    if method.fingerprint:
        return method.gateway_token
    gateway = gateways.named(method.gateway)
    account = accounts.find(method.organization)
    if account is None:
        raise NoBillingAccount

    def save_for(customer: str) -> Setup:
        return gateway.save_card(
            customer=customer,
            token=method.gateway_token,
            return_url=f"{settings.BASE_URL}/",
            metadata={"account": account.public_id},
            idempotency_key=f"{method.pk.hex}:setup",
        )

    setup = customers.call(account, gateway, save_for)
    if setup.card is None or setup.state != SetupState.SUCCEEDED:
        raise gateways.UnknownToken("authentication_required")
    changes = {"gateway_token": setup.card.token, "fingerprint": setup.card.fingerprint}
    PaymentMethod.objects.filter(pk=method.pk, fingerprint="").update(**changes)
    return setup.card.token


@transaction.atomic
def change(method: PaymentMethod, changes: Mapping[str, bool]) -> PaymentMethod:
    """Make a card the default (`is_default`) or the backup (`is_backup`), charged when the default is declined.

    A card is one or the other. `NotFound` if it was removed in the meantime.
    """
    now = clock.now(method.organization)
    posting.lock([method.organization_id], now)
    on_file = PaymentMethod.objects.of(method.organization)
    if not on_file.filter(pk=method.pk).exists():
        raise NotFound
    method.refresh_from_db()  # It may have got another role while we waited.
    before = (method.is_default, method.is_backup)
    if changes.get("is_default"):
        on_file.exclude(pk=method.pk).update(is_default=False)
        on_file.filter(pk=method.pk).update(is_default=True, is_backup=False)
    if changes.get("is_backup"):
        if on_file.filter(pk=method.pk, is_default=True).exists():
            raise InvalidField("is_backup", "The default card can't be its own backup.")
        on_file.exclude(pk=method.pk).update(is_backup=False)
    if "is_backup" in changes and not changes.get("is_default"):
        on_file.filter(pk=method.pk).update(is_backup=changes["is_backup"])
    method.refresh_from_db()
    if before != (method.is_default, method.is_backup):
        roles = {"is_default": method.is_default, "is_backup": method.is_backup}
        cards.tell(method, "payment_method.changed", now, **roles)
        if any(roles.values()):
            cards.take_up(method, now)
    return method


def remove(method: PaymentMethod) -> None:
    """Remove a card, here and at the gateway. A payment under way goes on."""
    removed = remove_here(method)
    if removed and method.fingerprint and not method.payments.filter(status__in=Payment.OPEN).exists():
        _detach(method)


@transaction.atomic
def remove_here(method: PaymentMethod) -> bool:
    """False if it was removed before. If it was the default, the newest of the others becomes it."""
    now = clock.now(method.organization)
    posting.lock([method.organization_id], now)
    on_file = PaymentMethod.objects.of(method.organization)
    was_default = on_file.filter(pk=method.pk, is_default=True).exists()
    removed = on_file.filter(pk=method.pk).update(removed_at=now, is_default=False, is_backup=False)
    AutoRecharge.objects.filter(payment_method=method).update(payment_method=None)
    newest = on_file.order_by("-created_at", "-pk").first()
    if removed:
        cards.tell(method, "payment_method.removed", now)
    if was_default and newest:
        on_file.filter(pk=newest.pk).update(is_default=True, is_backup=False)
        cards.take_up(newest, now)
    return bool(removed)


def observe(token: str, card: Card | None, gateway: str, now: datetime) -> None:
    """Write down what the gateway shows of a card now: None, or a card without a customer, was removed there."""
    method = PaymentMethod.objects.filter(gateway=gateway, gateway_token=token, removed_at=None).first()
    if method is None:
        return
    if card is None or not card.customer:
        remove_here(method)
        return
    with transaction.atomic():
        now = clock.at(method.organization, now)
        posting.lock([method.organization_id], now)
        cards.renew(PaymentMethod.objects.get(pk=method.pk), card, now)


def _detach(method: PaymentMethod) -> None:
    """Best effort: what stays at the gateway is never charged by us."""
    try:
        gateways.named(method.gateway).detach(method.gateway_token)
    except gateways.GatewayError:
        log.warning("card not detached", payment_method=method.public_id)
