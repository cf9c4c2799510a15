"""Cards on file: adding, choosing and removing them. Changes happen under the payer's lock."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_noop

from accounts.lib import identifiers
from accounts.lib.languages import translated
from accounts.lib.problems import Conflict, InvalidField, NotFound
from accounts.lib.sentences import filled
from accounts.models import Organization
from billing import accounts, clock
from billing.exceptions import NoBillingAccount, PaymentMethodRequired
from billing.ledger import posting
from billing.models import AutoRecharge, GatewayCustomer, Payment, PaymentMethod
from billing.payments import cards, customers, gateways, rounds
from billing.payments.gateways import Card, Session, SessionState, Setup, SetupState

log = structlog.get_logger()

# The text that people agree to when they save a card. The page shows it, and it is stored with the card.
CONSENT = gettext_noop(
    "The card is kept with the payment provider. It is charged for what you buy, for auto-recharge while that is on, "
    "and for invoices that are due."
)
_UNKNOWN = "The payment gateway does not know this token."


class AuthenticationRequired(Conflict):
    """The card's owner has to authenticate at the bank before the card is saved."""

    code = "authentication_required"
    detail = "The bank wants the card's owner to confirm. Open next_action_url."


class GatewayNotAvailable(Conflict):
    """The payment gateway does not answer, or does not accept our key. Nothing happened."""

    status = 503
    code = "gateway_unavailable"
    detail = "The payment gateway is not available. Try again in a minute."


def add(
    organization: Organization, token: str, *, by: str = "", id: UUID | None = None, return_url: str | None = None
) -> PaymentMethod:
    """Put a card on file by a token of the gateway's browser component. The first one is the default.

    `by` is the id of the credential, whose consent is kept. With an `id` made beforehand, a retry adds nothing.
    `AuthenticationRequired` has the address of the bank's page.
    """
    account, id = accounts.required(organization), id or identifiers.uuid7()
    gateway = gateways.BY_NAME[settings.PAYMENT_GATEWAY]

    def save_for(customer: str) -> Setup:
        return gateway.save_card(
            customer=customer,
            token=token,
            return_url=return_url or f"{settings.BASE_URL}/",
            metadata={"account": account.public_id},
            idempotency_key=f"{id.hex}:setup:{customer}",
        )

    try:
        setup = customers.call_again(account, gateway, save_for)
    except gateways.UnknownToken as error:
        raise InvalidField("gateway_token", _UNKNOWN) from error
    except gateways.GatewayError as error:
        raise GatewayNotAvailable from error
    if setup.state == SetupState.ACTION_REQUIRED:
        raise AuthenticationRequired(next_action_url=setup.next_action_url)
    if setup.state != SetupState.SUCCEEDED or setup.card is None:
        raise InvalidField("gateway_token", "The bank does not allow this card to be saved.")
    return save(organization, gateway.name, setup.card, by=by, id=id)


@transaction.atomic
def save(
    organization: Organization, gateway: str, card: Card, *, by: str, id: UUID | None = None, consent: str = CONSENT
) -> PaymentMethod:
    """Keep a card that the gateway saved. Called again for the same card, it changes nothing."""
    # There's a race here: of two first cards, only one may become the default.
    posting.lock([organization.pk], clock.now(organization))
    accounts.required(organization)  # The account may have been closed while we waited.
    return keep(organization, gateway, card, by=by, id=id, consent=consent)


def keep(
    organization: Organization, gateway: str, card: Card, *, by: str, id: UUID | None = None, consent: str = CONSENT
) -> PaymentMethod:
    """As `save`, under the payer's lock, and for an account that may be closed: its money came with this card."""
    known = PaymentMethod.objects.filter(gateway=gateway, gateway_token=card.token).first()
    if known:
        return known
    now = clock.now(organization)
    method = PaymentMethod(
        pk=id or identifiers.uuid7(),
        created_at=now,
        organization=organization,
        gateway=gateway,
        gateway_token=card.token,
        fingerprint=card.fingerprint,
        brand=card.brand,
        last4=card.last4,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
        consent=translated(consent),
        consent_by=by,
    )
    cards.mark_as_before(method)
    _give_role(method, now)
    method.save(force_insert=True)
    cards.tell(method, "payment_method.added", now)
    rounds.after_authentication(organization.pk, now)
    cards.take_up(method, now)
    return method


def _give_role(method: PaymentMethod, now: datetime) -> None:
    """The first card is the default. So is one that comes after a default that can't be charged, or that its owner
    didn't confirm at the bank in time.

    While auto-recharge waits after declines, another card is the backup, or else it would never be charged.
    """
    on_file = PaymentMethod.objects.of(method.organization)
    default, backup = (on_file.filter(**{role: True}).first() for role in ("is_default", "is_backup"))
    if default is None:
        method.is_default = True
    elif not method.is_chargeable_on(now.date()):
        return
    elif rounds.wants_another(method.organization) or not default.is_chargeable_on(now.date()):
        on_file.filter(pk=default.pk).update(is_default=False)
        method.is_default = True
    elif rounds.is_waiting(method.organization) and not (backup and backup.is_chargeable_on(now.date())):
        on_file.update(is_backup=False)
        method.is_backup = True


def begin_setup(organization: Organization, *, return_url: str, by: str = "") -> Session:
    """A page of the gateway's that saves a card, for `by`. `finish_setup` keeps it, or the gateway's event does."""
    account = accounts.required(organization)
    gateway = gateways.BY_NAME[settings.PAYMENT_GATEWAY]
    separator = "&" if "?" in return_url else "?"

    def open_page(customer: str) -> Session:
        return gateway.setup_session(
            customer=customer,
            success_url=f"{return_url}{separator}session={gateways.SESSION_ID}",
            cancel_url=return_url,
            metadata={"account": account.public_id, "by": by},
            idempotency_key=identifiers.uuid7().hex,
        )

    try:
        return customers.call_again(account, gateway, open_page)
    except gateways.GatewayError as error:
        raise GatewayNotAvailable from error


def finish_setup(organization: Organization, session_id: str) -> PaymentMethod | None:
    """Keep the card of a completed page. None while it is open. `NotFound` if it isn't the organization's page."""
    gateway = gateways.BY_NAME[settings.PAYMENT_GATEWAY]
    try:
        session = gateway.session(session_id)
    except gateways.GatewayRefused as error:
        raise NotFound from error
    except gateways.GatewayError as error:
        raise GatewayNotAvailable from error
    customer = GatewayCustomer.objects.of(organization).filter(gateway=gateway.name).first()
    if customer is None or customer.customer != session.customer:
        raise NotFound
    if session.state != SessionState.COMPLETE or session.card is None:
        return None
    return save(organization, gateway.name, session.card, by=consenting(session.metadata))


def consenting(metadata: Mapping[str, str] | None) -> str:
    """Who opened the page on which a card was saved, by the metadata of the gateway's object."""
    return (metadata or {}).get("by", "")


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
    gateway = gateways.BY_NAME[method.gateway]
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
        gateways.BY_NAME[method.gateway].detach(method.gateway_token)
    except gateways.GatewayError:
        log.warning("card not detached", payment_method=method.public_id)
