"""Looking at an object of the gateway, and bringing our rows and the ledger up to it.

The contents of an event are never used. So it doesn't matter in which order, how late or how often events arrive.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from billing.models import BillingAccount, Payment
from billing.payments import customers, disputes, gateways, intents, methods, notices, payments, refunding, saving_cards
from billing.payments.gateways import Gateway, SessionState, SetupState, Subject

Look = Callable[[str, Gateway, datetime], None]


def look(subject: str, id: str, gateway: Gateway, now: datetime) -> None:
    """Fetch the object and do what follows from it. Errors of the gateway are raised; an unknown object is skipped."""
    by_subject = LOOKS.get(subject)
    if by_subject is None:
        return
    try:
        by_subject(id, gateway, now)
    except gateways.GatewayRefused:  # It is gone, or belongs to another account: there is nothing to do.
        notices.log.warning("object of an event not found", subject=subject, id=id)


def _intent(id: str, gateway: Gateway, now: datetime) -> None:
    """One that we know as paid can't change any more: most events are about those, and need no call."""
    if not Payment.objects.filter(gateway=gateway.name, intent=id, status=Payment.Status.SUCCEEDED).exists():
        intents.observe(gateway.retrieve(id), gateway)


def _session(id: str, gateway: Gateway, now: datetime) -> None:
    """A page on which a card was saved or a payment made, maybe by somebody who never came back."""
    session = gateway.session(id)
    payment = intents.named_by(session.metadata, gateway)
    if payment:
        payments.complete(payment.pk)
    elif session.state == SessionState.COMPLETE and session.card:
        _keep(session.customer, session.card, gateway, saving_cards.consenting(session.metadata))


def _setup(id: str, gateway: Gateway, now: datetime) -> None:
    setup = gateway.setup(id)
    if setup.state == SetupState.SUCCEEDED and setup.card:
        _keep(setup.customer, setup.card, gateway, saving_cards.consenting(setup.metadata))


def _keep(customer: str, card: gateways.Card, gateway: Gateway, by: str) -> None:
    """Only for an open account: if it was closed in the meantime, nobody needs the card."""
    owner = customers.owner_of(customer, gateway)
    account = BillingAccount.objects.filter(organization=owner).open().select_related("organization").first()
    if account:
        saving_cards.save(account.organization, gateway.name, card, by=by)


def _card(id: str, gateway: Gateway, now: datetime) -> None:
    try:
        card = gateway.card(id)
    except gateways.UnknownToken:
        card = None
    methods.observe(id, card, gateway.name, now)


def _refund(id: str, gateway: Gateway, now: datetime) -> None:
    refunding.observe(gateway.retrieve_refund(id), gateway, now)


def _dispute(id: str, gateway: Gateway, now: datetime) -> None:
    disputes.observe(gateway.retrieve_dispute(id), gateway, now)


def _customer(id: str, gateway: Gateway, now: datetime) -> None:
    customers.forget(gateway, id)


def _fraud_warning(id: str, gateway: Gateway, now: datetime) -> None:
    """A card network suspects that a payment is fraud: a dispute is likely, and a refund may still avoid it."""
    payment = Payment.objects.filter(gateway=gateway.name, intent=id).first()
    if payment:
        body = f"{payment.public_id}: a refund may avoid a dispute."
        notices.alarm("A card network suspects a fraud", body, payment=payment.public_id)


LOOKS: Mapping[str, Look] = {
    Subject.INTENT: _intent,
    Subject.SESSION: _session,
    Subject.SETUP: _setup,
    Subject.CARD: _card,
    Subject.REFUND: _refund,
    Subject.DISPUTE: _dispute,
    Subject.CUSTOMER: _customer,
    Subject.FRAUD_WARNING: _fraud_warning,
}
