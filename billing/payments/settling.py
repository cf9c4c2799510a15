"""Records the outcome of a payment once, in one transaction, under the payer's lock."""

from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_noop

from billing import clock
from billing.invoicing import settlement, unpaid
from billing.ledger import posting
from billing.models import LedgerEntry, Payment
from billing.payments import cards, minor_units, notices, payment_events, rounds, saving_cards
from billing.payments.gateways import Decline, Intent, IntentState
from billing.templatetags.money import money

log = structlog.get_logger()

Status = Payment.Status
# How long the owner of a card has to authenticate, and how long a checkout page is open.
ACTION_LIFE = timedelta(hours=23)
MISMATCH_WAIT = timedelta(days=1)
# `created_by` of payments whose owner is not there to see what the bank wants.
BY_OURSELVES = ("auto_recharge", unpaid.DUNNING)


@transaction.atomic
def settle(payment_id: UUID, intent: Intent) -> Payment:
    """Write down how an intent ended, or that its card's owner has to act. A success posts exactly one purchase."""
    payment = lock(payment_id)
    if intent.state == IntentState.SUCCEEDED:
        _succeed(payment, intent)
    elif intent.state == IntentState.ACTION_REQUIRED:
        _require_action(payment)
    elif payment.is_open:
        _fail(payment, intent.decline or Decline("canceled"), declined=intent.decline is not None)
    return payment


@transaction.atomic
def fail(payment_id: UUID, code: str) -> Payment:
    """End a payment for which no money was or will be taken."""
    payment = lock(payment_id)
    if payment.is_open:
        _fail(payment, Decline(code), declined=False)
    return payment


def lock(payment_id: UUID) -> Payment:
    """The payment as it is now, under its payer's lock until the transaction ends."""
    payer = Payment.objects.select_related("organization").get(pk=payment_id).organization
    posting.lock([payer.pk], clock.now(payer))
    related = ("method", "organization", "invoice__organization", "invoice__state")
    return Payment.objects.select_related(*related).get(pk=payment_id)


def _succeed(payment: Payment, intent: Intent) -> None:
    """Credit what was paid. Money is credited even if the payment had failed for us: then with an alarm."""
    if payment.status == Status.SUCCEEDED:
        return
    wanted = minor_units.money(payment.total, payment.currency)
    if (intent.received, intent.money.currency) != (wanted.minor, wanted.currency):
        _put_aside(payment, f"{intent.received} instead of {wanted.minor}")
        return
    if payment.status == Status.FAILED:
        log.error("a payment succeeded after it had failed", payment=payment.public_id)
    if payment.method is None and intent.card:
        payment.method = saving_cards.keep(
            payment.organization, payment.gateway_name, intent.card, by=payment.created_by
        )
    payment.status, payment.intent, payment.failure_code, payment.decline_code = Status.SUCCEEDED, intent.id, "", ""
    by_owner = payment.created_by not in BY_OURSELVES
    good_again = payment.method if by_owner and payment.method and cards.mark_good(payment.method) else None
    _close(payment, "method", "intent")
    posting.post(
        payment.organization_id,
        kind=LedgerEntry.Kind.PURCHASE,
        amount=payment.amount,
        now=clock.now(payment.organization),
        description=f"Payment of {payment.invoice.number}" if payment.invoice else "Credits purchased",
        reference=payment.public_id,
        idempotency_key=f"payment:{payment.pk.hex}",
    )
    payment_events.record(payment, "payment.succeeded", clock.now(payment.organization))
    rounds.after_success(payment, clock.now(payment.organization), by_owner=by_owner)
    settlement.after_payment(payment, clock.now(payment.organization))
    if good_again:
        good_again.refresh_from_db()
        cards.take_up(good_again, clock.now(payment.organization))


def _put_aside(payment: Payment, sums: str) -> None:
    """A different amount was paid, and an operator has to decide. The payment stays open, and is checked again from
    time to time.
    """
    if payment.problem != "mismatch":
        body = f"{payment.public_id}: {sums}, in the currency's minor unit. Nothing was credited."
        notices.alarm("Another sum was paid than was asked for", body, payment=payment.public_id)
    payment.problem, payment.next_attempt_at = "mismatch", clock.now(payment.organization) + MISMATCH_WAIT
    payment.save(update_fields=["problem", "next_attempt_at"])


def _require_action(payment: Payment) -> None:
    if payment.status != Status.PENDING:
        return
    payment.status = Status.ACTION_REQUIRED
    payment.next_action_url = f"{settings.BASE_URL}/o/{payment.organization.public_id}/payments/{payment.public_id}/"
    payment.expires_at = payment.expires_at or clock.now(payment.organization) + ACTION_LIFE
    payment.next_attempt_at = payment.expires_at
    payment.save(update_fields=["status", "next_action_url", "expires_at", "next_attempt_at"])
    payment_events.record(payment, "payment.action_required", clock.now(payment.organization))
    if payment.created_by in BY_OURSELVES:
        body = gettext_noop("Your bank wants you to confirm a payment of %(price)s within 23 hours:")
        notices.mail(
            payment.organization_id,
            gettext_noop("Please confirm a payment"),
            body,
            page=payment.next_action_url,
            price=partial(money, payment.total, payment.currency),
        )


def _fail(payment: Payment, decline: Decline, *, declined: bool) -> None:
    """`declined`: a bank said so. Otherwise it was canceled, or the gateway refused it."""
    lapsed = payment.status == Status.ACTION_REQUIRED  # The owner was asked to authenticate, and didn't.
    payment.status = Status.FAILED
    payment.failure_code, payment.decline_code = decline.reason, decline.decline_code
    _close(payment)
    if payment.method and decline.is_hard:
        cards.mark_declined(payment.method, decline.reason)
    payment_events.record(payment, "payment.failed", clock.now(payment.organization))
    rounds.after_failure(
        payment, clock.now(payment.organization), declined=declined, lapsed=lapsed, hard=decline.is_hard
    )


def _close(payment: Payment, *changed: str) -> None:
    """Writes only what has changed: calls without the lock count confirmations and remember the intent meanwhile."""
    payment.next_action_url, payment.problem, payment.next_attempt_at = "", "", None
    payment.settled_at = clock.now(payment.organization)
    ended = ("status", "failure_code", "decline_code", "next_action_url", "problem", "next_attempt_at", "settled_at")
    payment.save(update_fields=[*ended, *changed])
