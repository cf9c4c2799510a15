"""Converts Stripe's objects to our dataclasses."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from stripe import StripeObject

from billing.payments.gateways.objects import (
    Card,
    Decline,
    Dispute,
    DisputeState,
    GatewayEvent,
    Intent,
    IntentState,
    Refund,
    RefundState,
    Session,
    SessionState,
    Setup,
    SetupState,
    Subject,
)
from billing.payments.minor_units import Money

Body = Mapping[str, Any]

_INTENT_STATES = {
    "requires_confirmation": IntentState.CREATED,
    "requires_action": IntentState.ACTION_REQUIRED,
    "succeeded": IntentState.SUCCEEDED,
    "canceled": IntentState.CANCELED,
}
_SETUP_STATES = {
    "requires_action": SetupState.ACTION_REQUIRED,
    "succeeded": SetupState.SUCCEEDED,
    "canceled": SetupState.FAILED,
}
_REFUND_STATES = {
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}
_DISPUTE_STATES = {
    "warning_needs_response": DisputeState.INQUIRY,
    "warning_under_review": DisputeState.INQUIRY,
    "warning_closed": DisputeState.CLOSED,
    "prevented": DisputeState.CLOSED,
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
}
_SUBJECTS = {
    "payment_intent.": Subject.INTENT,
    "setup_intent.": Subject.SETUP,
    "checkout.session.": Subject.SESSION,
    "payment_method.": Subject.CARD,
    "refund.": Subject.REFUND,
    "charge.dispute.": Subject.DISPUTE,
    "radar.early_fraud_warning.": Subject.FRAUD_WARNING,
    "customer.deleted": Subject.CUSTOMER,
}
AUTHENTICATION_REQUIRED = "authentication_required"


def body_of(answer: StripeObject) -> Body:
    """The answer as plain JSON: the library's objects have no `get`, and an absent field is an AttributeError."""
    to_dict: Callable[..., dict[str, Any]] = answer.to_dict
    return to_dict(for_json=True)


def card(body: Body) -> Card:
    details = body["card"]
    return Card(
        token=body["id"],
        brand=details["brand"],
        last4=details["last4"],
        exp_month=details["exp_month"],
        exp_year=details["exp_year"],
        fingerprint=details.get("fingerprint") or "",
        customer=_id(body.get("customer")),
    )


def intent(body: Body) -> Intent:
    """The payment method must be expanded. After a decline it is in the error instead."""
    error = body.get("last_payment_error") or {}
    method = body.get("payment_method") or error.get("payment_method")
    return Intent(
        id=body["id"],
        state=_intent_state(body),
        money=_money(body),
        received=body.get("amount_received") or 0,
        created_at=_moment(body["created"]),
        customer=_id(body.get("customer")),
        card=card(method) if isinstance(method, Mapping) else None,
        decline=_decline(error),
        next_action_url=_next_action_url(body),
        metadata=body.get("metadata") or {},
    )


def _intent_state(body: Body) -> IntentState:
    if body["status"] != "requires_payment_method":
        return _INTENT_STATES.get(body["status"], IntentState.PROCESSING)
    error = body.get("last_payment_error")
    if not error:
        return IntentState.CREATED
    needs_owner = AUTHENTICATION_REQUIRED in (error.get("code"), error.get("decline_code"))
    return IntentState.ACTION_REQUIRED if needs_owner else IntentState.DECLINED


def setup(body: Body) -> Setup:
    error = body.get("last_setup_error") or {}
    method = body.get("payment_method") or error.get("payment_method")
    state = _SETUP_STATES.get(body["status"], SetupState.PENDING)
    return Setup(
        id=body["id"],
        state=SetupState.FAILED if body["status"] == "requires_payment_method" and error else state,
        customer=_id(body.get("customer")),
        card=card(method) if isinstance(method, Mapping) else None,
        decline=_decline(error),
        next_action_url=_next_action_url(body),
        metadata=body.get("metadata") or {},
    )


def session(body: Body) -> Session:
    """`setup_intent.payment_method` has to be expanded."""
    setup_intent = body.get("setup_intent")
    saved = setup(setup_intent) if isinstance(setup_intent, Mapping) else None
    return Session(
        id=body["id"],
        state=SessionState(body["status"]),
        url=body.get("url") or "",
        expires_at=_moment(body["expires_at"]),
        customer=_id(body.get("customer")),
        intent=_id(body.get("payment_intent")),
        setup=_id(setup_intent),
        card=saved.card if saved and saved.state == SetupState.SUCCEEDED else None,
        metadata=body.get("metadata") or {},
    )


def refund(body: Body) -> Refund:
    return Refund(
        id=body["id"],
        state=_REFUND_STATES.get(body["status"], RefundState.PENDING),
        money=_money(body),
        intent=_id(body.get("payment_intent")),
        created_at=_moment(body["created"]),
        failure_reason=body.get("failure_reason") or "",
        metadata=body.get("metadata") or {},
    )


def dispute(body: Body) -> Dispute:
    """Its balance transactions are in the currency that we are paid in: they say whether money moved, and what part."""
    amounts = [transaction["amount"] for transaction in body.get("balance_transactions") or []]
    taken, given = -sum(amount for amount in amounts if amount < 0), sum(amount for amount in amounts if amount > 0)
    total = body["amount"]
    return Dispute(
        id=body["id"],
        state=_DISPUTE_STATES.get(body["status"], DisputeState.OPEN),
        money=_money(body),
        intent=_id(body.get("payment_intent")),
        reason=body.get("reason") or "",
        created_at=_moment(body["created"]),
        withdrawn=total if taken else 0,
        reinstated=min(total, total * given // taken) if taken else 0,
    )


def event(body: Body) -> GatewayEvent:
    inner = body["data"]["object"]
    subject = next((subject for start, subject in _SUBJECTS.items() if body["type"].startswith(start)), Subject.OTHER)
    return GatewayEvent(
        id=body["id"],
        type=body["type"],
        created_at=_moment(body["created"]),
        subject=subject,
        object_id=_id(inner.get("payment_intent" if subject == Subject.FRAUD_WARNING else "id")),
    )


def _decline(error: Body) -> Decline | None:
    if not error:
        return None
    fields = ("code", "decline_code", "advice_code", "network_advice_code")
    return Decline(**{field: error.get(field) or "" for field in fields})


def _next_action_url(body: Body) -> str:
    redirect = (body.get("next_action") or {}).get("redirect_to_url") or {}
    return redirect.get("url") or ""


def _money(body: Body) -> Money:
    return Money(body["amount"], body["currency"].upper())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _id(value: Any) -> str:
    """The id of a reference, which may be an id, an expanded object or null."""
    return str(value["id"] if isinstance(value, Mapping) else value or "")
