"""Saving cards: by a token of the gateway's browser component, or on the gateway's page."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_noop

from accounts.lib import identifiers
from accounts.lib.languages import translated
from accounts.lib.problems import Conflict, InvalidField, NotFound
from accounts.models import Organization
from billing import accounts, clock
from billing.exceptions import GatewayNotAvailable
from billing.ledger import posting
from billing.models import GatewayCustomer, PaymentMethod
from billing.payments import cards, customers, gateways, rounds
from billing.payments.gateways import Card, Session, SessionState, Setup, SetupState

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


def add(
    organization: Organization, token: str, *, by: str = "", id: UUID | None = None, return_url: str | None = None
) -> PaymentMethod:
    """Put a card on file by a token of the gateway's browser component. The first one is the default.

    `by` is the id of the credential, whose consent is kept. With an `id` made beforehand, a retry adds nothing.
    `AuthenticationRequired` has the address of the bank's page.
    """
    account, id = accounts.required(organization), id or identifiers.uuid7()
    gateway = gateways.named(settings.PAYMENT_GATEWAY)

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

    While auto-recharge waits after declines, another card than those that were declined is the backup, or else it would
    never be charged.
    """
    organization, on_file = method.organization, PaymentMethod.objects.of(method.organization)
    default, backup = (on_file.filter(**{role: True}).first() for role in ("is_default", "is_backup"))
    if default is None:
        method.is_default = True
    elif not method.is_chargeable_on(now.date()):
        return
    elif rounds.wants_another(organization) or not default.is_chargeable_on(now.date()):
        on_file.filter(pk=default.pk).update(is_default=False)
        method.is_default = True
    elif rounds.is_waiting(organization):
        spare = backup if backup and backup.is_chargeable_on(now.date()) else None
        if spare is None or (rounds.is_untried(organization, method) and not rounds.is_untried(organization, spare)):
            on_file.update(is_backup=False)
            method.is_backup = True


def begin_setup(organization: Organization, *, return_url: str, by: str = "") -> Session:
    """A page of the gateway's that saves a card, for `by`. `finish_setup` keeps it, or the gateway's event does."""
    account = accounts.required(organization)
    gateway = gateways.named(settings.PAYMENT_GATEWAY)
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
    gateway = gateways.named(settings.PAYMENT_GATEWAY)
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
