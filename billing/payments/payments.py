"""Taking money: create, remember, confirm. `purchases` begins a payment, and this takes it as far as it goes.

A payment has these steps, each committed before the next: the row; an intent at the gateway, which moves no money; the
intent's id on the row; the confirmation, which charges. Whenever it is unclear what happened, the intent is retrieved.
The request, its retry, a page and the sweep may all continue a payment at any step. There is one intent, so there is
one charge. No transaction is open while a gateway is called. `docs/payments.md` has the table of states.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from accounts.lib.problems import Conflict
from billing import accounts, clock
from billing.exceptions import GatewayNotAvailable
from billing.models import Payment
from billing.payments import customers, gateways, methods, minor_units, notices, purchases, settling
from billing.payments.gateways import Gateway, Intent, IntentState, Session, SessionState

log = structlog.get_logger()

Status = Payment.Status

SWEEP_SIZE = 100
# An idempotency key of the gateway may be forgotten after a day. Before that, the same key finds the same intent.
KEY_LIFE = timedelta(hours=20)
LONGEST_WAIT = timedelta(hours=1)
ALARM_AFTER = 3
# How long we look for an object that the gateway doesn't know: by then it is asked with the right key again, or never.
UNKNOWN_FOR = timedelta(days=3)


class NotCancelable(Conflict):
    """The payment is settled already."""

    code = "payment_not_cancelable"
    detail = "Only a payment that is pending or waits for an action can be canceled."


def complete(payment_id: UUID, *, return_url: str | None = None) -> Payment:
    """Take an open payment as far as it goes. Repeated or concurrent calls have one effect.

    With a `return_url` the card's owner is present, and comes back to it from the bank's page.
    """
    payment = Payment.objects.select_related("method", "organization", "invoice").get(pk=payment_id)
    if not payment.is_open:
        return payment
    gateway = gateways.named(payment.gateway_name)
    try:
        return _advance(payment, gateway, return_url)
    except gateways.UnexpectedState:
        return _look(payment, gateway)
    except gateways.UnknownCustomer as error:  # and its cards are gone with it
        return settling.fail(payment.pk, error.code)
    except gateways.UnknownObject:
        return _miss(payment)
    except gateways.GatewayRefused as error:
        log.error("payment refused", payment=payment.public_id, code=error.code)
        return _give_up(payment, gateway, error.code)
    except gateways.GatewayUnavailable:
        return _postpone(payment, "unavailable")
    except gateways.GatewayMisconfigured:
        log.error("gateway does not accept our key", payment=payment.public_id)
        return _postpone(payment, "misconfigured")


def _advance(payment: Payment, gateway: Gateway, return_url: str | None) -> Payment:
    if payment.method is None:
        return _advance_checkout(payment, gateway)
    if payment.status == Status.ACTION_REQUIRED:
        return _look(payment, gateway)
    intent_id = payment.intent or remember(payment, _create(payment, gateway).id)
    if not payment.confirmations and _is_unwanted(payment):
        return _give_up(payment, gateway, "suspended")
    confirmation = _count_confirmation(payment)
    if confirmation is None:  # It was settled or canceled in the meantime.
        return _look(payment, gateway)
    if confirmation > 1 and gateway.retrieve(intent_id).state != IntentState.CREATED:
        return _look(payment, gateway)
    intent = gateway.confirm(
        intent_id,
        card=methods.chargeable_token(payment.method),
        return_url=return_url,
        idempotency_key=f"{payment.pk.hex}:confirm:{confirmation}",
    )
    return follow(payment, gateway, intent)


def _is_unwanted(payment: Payment) -> bool:
    """Whether it is a recharge of an organization that was suspended since it began. It was not charged yet."""
    return payment.purpose == Payment.Purpose.RECHARGE and not payment.organization.is_operational


def _create(payment: Payment, gateway: Gateway) -> Intent:
    """The payment's intent: a new one, or the one that an interrupted call made."""
    assert payment.method is not None
    token = methods.chargeable_token(payment.method)
    metadata = {"payment": payment.public_id}

    def create(customer: str) -> Intent:
        # An earlier call may have made it without telling us: its stored answer may be an error, or forgotten.
        if payment.attempts or payment.created_at < clock.now(payment.organization) - KEY_LIFE:
            known = gateway.find(customer=customer, metadata=metadata, since=payment.created_at)
            if known:
                return known
        try:
            return gateway.create(
                customer=customer,
                card=token,
                money=minor_units.money(payment.total, payment.currency),
                description=_description(payment),
                metadata=metadata,
                idempotency_key=f"{payment.pk.hex}:create",
            )
        except gateways.UnexpectedState:  # The key was used with other parameters: an earlier call made the intent.
            known = gateway.find(customer=customer, metadata=metadata, since=payment.created_at)
            if known is None:
                raise
            return known

    return customers.call(accounts.required(payment.organization), gateway, create)


def _description(payment: Payment) -> str:
    """What the payer reads at the gateway."""
    return payment.invoice.number if payment.invoice else "Credits"


def remember(payment: Payment, intent_id: str) -> str:
    """Commit the intent's id before it is confirmed. Of two callers at once, both have the same intent."""
    Payment.objects.filter(pk=payment.pk, intent="").update(intent=intent_id)
    payment.refresh_from_db(fields=["intent", "status"])
    return payment.intent


def _count_confirmation(payment: Payment) -> int | None:
    """The number of the next confirmation. None if the payment is open no longer."""
    open_payment = Payment.objects.filter(pk=payment.pk, status__in=Payment.OPEN)
    if not open_payment.update(confirmations=F("confirmations") + 1):
        return None
    payment.refresh_from_db(fields=["confirmations"])
    return payment.confirmations


def _advance_checkout(payment: Payment, gateway: Gateway) -> Payment:
    """Open the checkout page, or see what came of it."""
    if not payment.session:
        return _open_checkout(payment, gateway)
    session = gateway.session(payment.session)
    if session.state == SessionState.OPEN:  # Whatever became of its intent: people may try again on the page.
        return _postpone(payment, "")
    if session.intent:
        remember(payment, session.intent)
        return _look(payment, gateway)
    if session.state == SessionState.EXPIRED:
        return settling.fail(payment.pk, "abandoned")
    return _postpone(payment, "")


def _open_checkout(payment: Payment, gateway: Gateway) -> Payment:
    address = f"{settings.BASE_URL}/o/{payment.organization.public_id}/payments/{payment.public_id}/"
    expires_at = payment.expires_at
    assert expires_at is not None

    def open_page(customer: str) -> Session:
        return gateway.checkout_session(
            customer=customer,
            money=minor_units.money(payment.total, payment.currency),
            description=_description(payment),
            success_url=payment.next_action_url or address,
            cancel_url=payment.next_action_url or address,
            expires_at=expires_at,
            metadata={"payment": payment.public_id},
            idempotency_key=f"{payment.pk.hex}:session:{customer}",
        )

    session = customers.call_again(accounts.required(payment.organization), gateway, open_page)
    Payment.objects.filter(pk=payment.pk, session="").update(session=session.id, next_action_url=session.url)
    payment.refresh_from_db()
    if not payment.is_open:  # It was canceled in the meantime, so nobody may pay on the page.
        gateway.expire_session(session.id)
    return payment


def _look(payment: Payment, gateway: Gateway) -> Payment:
    """Ask the gateway for the state of the payment, and record it."""
    if not payment.intent:
        payment.refresh_from_db()
    if not payment.intent:
        return _postpone(payment, "unavailable") if payment.is_open else payment
    try:
        intent = gateway.retrieve(payment.intent)
        if _is_overdue(payment) and intent.state == IntentState.ACTION_REQUIRED:
            intent = gateway.cancel(payment.intent)
        return follow(payment, gateway, intent)
    except (gateways.GatewayUnavailable, gateways.UnexpectedState):
        return _postpone(payment, "unavailable")


def _is_overdue(payment: Payment) -> bool:
    return payment.expires_at is not None and payment.expires_at <= clock.now(payment.organization)


def follow(payment: Payment, gateway: Gateway, intent: Intent) -> Payment:
    """Cancels a declined intent first, so it can't succeed later. If it already has, the payment succeeds."""
    if intent.state == IntentState.DECLINED:
        intent = gateway.cancel(intent.id)
    if intent.state in (IntentState.PROCESSING, IntentState.CREATED):
        return _postpone(payment, "")
    return settling.settle(payment.pk, intent)


def _give_up(payment: Payment, gateway: Gateway, code: str) -> Payment:
    """The gateway refused permanently. If there is an intent, cancel it so it can't succeed later."""
    if payment.intent:
        try:
            intent = gateway.cancel(payment.intent)
        except gateways.UnknownObject:
            return _miss(payment)
        except gateways.GatewayError:
            return _postpone(payment, "unavailable")
        if intent.state == IntentState.SUCCEEDED:
            return settling.settle(payment.pk, intent)
    return settling.fail(payment.pk, code)


def _miss(payment: Payment) -> Payment:
    """The gateway doesn't know what it once made for the payment, so our key is probably of another account.

    Whether it was paid can't be said. Operators are told at once, and once more when we stop looking.
    """
    body = (
        f"{payment.public_id} of {payment.organization}: the gateway doesn't know {payment.intent or payment.session}. "
        "Is the key of another account? Look there whether it was paid."
    )
    if clock.now(payment.organization) > payment.created_at + UNKNOWN_FOR:
        notices.alarm("A payment was given up that may have been paid", body, payment=payment.public_id)
        return settling.fail(payment.pk, "intent_unknown")
    if payment.problem != "unknown":
        notices.alarm("The gateway does not know a payment", body, payment=payment.public_id)
    return _postpone(payment, "unknown")


def _postpone(payment: Payment, problem: str) -> Payment:
    """Leave it open, and look again in 1, 2, 4 … 60 minutes. A payment that waits for others is no problem."""
    wait = min(timedelta(minutes=2 ** min(payment.attempts, 6)), LONGEST_WAIT)
    Payment.objects.filter(pk=payment.pk, status__in=Payment.OPEN).update(
        attempts=F("attempts") + 1, problem=problem, next_attempt_at=clock.now(payment.organization) + wait
    )
    payment.refresh_from_db()
    if problem:
        report = log.error if payment.attempts >= ALARM_AFTER else log.warning
        report("payment not settled", payment=payment.public_id, problem=problem, attempts=payment.attempts)
    return payment


def authenticate(payment: Payment, return_url: str) -> str:
    """The bank's page for a payment that waits for its card's owner; empty if it waits no longer.

    It confirms the same intent, so there can be no second charge.
    """
    if payment.status != Status.ACTION_REQUIRED:
        return ""
    gateway = gateways.named(payment.gateway_name)
    intent = gateway.retrieve(payment.intent)
    if intent.state == IntentState.ACTION_REQUIRED and not intent.next_action_url:
        assert payment.method is not None
        confirmation = _count_confirmation(payment)
        if confirmation is None:  # It was settled or canceled in the meantime.
            return ""
        intent = gateway.confirm(
            payment.intent,
            card=methods.chargeable_token(payment.method),
            return_url=return_url,
            idempotency_key=f"{payment.pk.hex}:confirm:{confirmation}",
        )
    if intent.state == IntentState.ACTION_REQUIRED:
        return intent.next_action_url
    follow(payment, gateway, intent)
    return ""


def cancel(payment: Payment) -> Payment:
    """Cancel an open payment. If the money came in the meantime, it succeeded; if that is unclear, it stays open."""
    with transaction.atomic():
        payment = settling.lock(payment.pk)
        if not payment.is_open:
            raise NotCancelable
        if not (payment.intent or payment.session or payment.confirmations):
            return settling.fail(payment.pk, "canceled")  # Nothing can be charged yet, and a closed row never is.
    gateway = gateways.named(payment.gateway_name)
    try:
        if payment.session:
            gateway.expire_session(payment.session)
        if payment.intent:
            intent = gateway.cancel(payment.intent)
            if intent.state != IntentState.CANCELED:
                return follow(payment, gateway, intent)
    except gateways.UnexpectedState:
        return complete(payment.pk)
    except gateways.GatewayError as error:
        raise GatewayNotAvailable from error
    return settling.fail(payment.pk, "canceled")


def sweep(now: datetime) -> int:
    """Take up the open payments that are due. Returns how many are settled now."""
    due = Q(next_attempt_at__lte=now) | Q(next_attempt_at=None, created_at__lte=now - purchases.GRACE)
    overdue = Payment.objects.filter(due, status__in=Payment.OPEN)
    # Random order, so that payments that never settle can't starve the others.
    ids = list(overdue.order_by("?").values_list("pk", flat=True)[:SWEEP_SIZE])
    return sum(_is_settled(complete, payment_id) for payment_id in ids)


def _is_settled(step: Callable[[UUID], Payment], payment_id: UUID) -> bool:
    """Whether the payment is settled now. A failure is logged, so that the sweep goes on with the next one."""
    try:
        return not step(payment_id).is_open
    except Exception:
        log.exception("payment not settled", payment=payment_id.hex)
        return False
