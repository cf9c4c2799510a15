"""Converts Stripe's objects to our dataclasses."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from stripe import StripeObject

from billing.payments.gateways import objects
from billing.payments.minor_units import Money

Body = Mapping[str, Any]

_INTENT_STATES = {
    "requires_confirmation": objects.IntentState.CREATED,
    "requires_action": objects.IntentState.ACTION_REQUIRED,
    "succeeded": objects.IntentState.SUCCEEDED,
    "canceled": objects.IntentState.CANCELED,
}
_SETUP_STATES = {
    "requires_action": objects.SetupState.ACTION_REQUIRED,
    "succeeded": objects.SetupState.SUCCEEDED,
    "canceled": objects.SetupState.FAILED,
}
_REFUND_STATES = {
    "succeeded": objects.RefundState.SUCCEEDED,
    "failed": objects.RefundState.FAILED,
    "canceled": objects.RefundState.FAILED,
}
_DISPUTE_STATES = {
    "warning_needs_response": objects.DisputeState.INQUIRY,
    "warning_under_review": objects.DisputeState.INQUIRY,
    "warning_closed": objects.DisputeState.CLOSED,
    "prevented": objects.DisputeState.CLOSED,
    "won": objects.DisputeState.WON,
    "lost": objects.DisputeState.LOST,
}
_SUBJECTS = {
    "payment_intent.": objects.Subject.INTENT,
    "setup_intent.": objects.Subject.SETUP,
    "checkout.session.": objects.Subject.SESSION,
    "payment_method.": objects.Subject.CARD,
    "refund.": objects.Subject.REFUND,
    "charge.dispute.": objects.Subject.DISPUTE,
    "radar.early_fraud_warning.": objects.Subject.FRAUD_WARNING,
    "customer.deleted": objects.Subject.CUSTOMER,
}
AUTHENTICATION_REQUIRED = "authentication_required"


def body_of(answer: StripeObject) -> Body:
    """The answer as plain JSON: the library's objects have no `get`, and an absent field is an AttributeError."""
    to_dict: Callable[..., dict[str, Any]] = answer.to_dict
    return to_dict(for_json=True)


def card(body: Body) -> objects.Card:
    details = body["card"]
    return objects.Card(
        token=body["id"],
        brand=details["brand"],
        last4=details["last4"],
        exp_month=details["exp_month"],
        exp_year=details["exp_year"],
        fingerprint=details.get("fingerprint") or "",
        customer=_id(body.get("customer")),
    )


def intent(body: Body) -> objects.Intent:
    """The payment method must be expanded. After a decline it is in the error instead."""
    error = body.get("last_payment_error") or {}
    method = body.get("payment_method") or error.get("payment_method")
    return objects.Intent(
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


def _intent_state(body: Body) -> objects.IntentState:
    if body["status"] != "requires_payment_method":
        return _INTENT_STATES.get(body["status"], objects.IntentState.PROCESSING)
    error = body.get("last_payment_error")
    if not error:
        return objects.IntentState.CREATED
    needs_owner = AUTHENTICATION_REQUIRED in (error.get("code"), error.get("decline_code"))
    return objects.IntentState.ACTION_REQUIRED if needs_owner else objects.IntentState.DECLINED


def setup(body: Body) -> objects.Setup:
    error = body.get("last_setup_error") or {}
    method = body.get("payment_method") or error.get("payment_method")
    state = _SETUP_STATES.get(body["status"], objects.SetupState.PENDING)
    return objects.Setup(
        id=body["id"],
        state=objects.SetupState.FAILED if body["status"] == "requires_payment_method" and error else state,
        customer=_id(body.get("customer")),
        card=card(method) if isinstance(method, Mapping) else None,
        decline=_decline(error),
        next_action_url=_next_action_url(body),
        metadata=body.get("metadata") or {},
    )


def session(body: Body) -> objects.Session:
    """`setup_intent.payment_method` has to be expanded."""
    setup_intent = body.get("setup_intent")
    saved = setup(setup_intent) if isinstance(setup_intent, Mapping) else None
    return objects.Session(
        id=body["id"],
        state=objects.SessionState(body["status"]),
        url=body.get("url") or "",
        expires_at=_moment(body["expires_at"]),
        customer=_id(body.get("customer")),
        intent=_id(body.get("payment_intent")),
        setup=_id(setup_intent),
        card=saved.card if saved and saved.state == objects.SetupState.SUCCEEDED else None,
        metadata=body.get("metadata") or {},
    )


def refund(body: Body) -> objects.Refund:
    return objects.Refund(
        id=body["id"],
        state=_REFUND_STATES.get(body["status"], objects.RefundState.PENDING),
        money=_money(body),
        intent=_id(body.get("payment_intent")),
        created_at=_moment(body["created"]),
        failure_reason=body.get("failure_reason") or "",
        metadata=body.get("metadata") or {},
    )


def dispute(body: Body) -> objects.Dispute:
    """Its balance transactions are in the currency that we are paid in: they say whether money moved, and what part."""
    amounts = [transaction["amount"] for transaction in body.get("balance_transactions") or []]
    taken, given = -sum(amount for amount in amounts if amount < 0), sum(amount for amount in amounts if amount > 0)
    total = body["amount"]
    return objects.Dispute(
        id=body["id"],
        state=_DISPUTE_STATES.get(body["status"], objects.DisputeState.OPEN),
        money=_money(body),
        intent=_id(body.get("payment_intent")),
        reason=body.get("reason") or "",
        created_at=_moment(body["created"]),
        withdrawn=total if taken else 0,
        reinstated=min(total, total * given // taken) if taken else 0,
    )


def event(body: Body) -> objects.GatewayEvent:
    inner = body["data"]["object"]
    subject = next(
        (subject for start, subject in _SUBJECTS.items() if body["type"].startswith(start)), objects.Subject.OTHER
    )
    return objects.GatewayEvent(
        id=body["id"],
        type=body["type"],
        created_at=_moment(body["created"]),
        subject=subject,
        object_id=_id(inner.get("payment_intent" if subject == objects.Subject.FRAUD_WARNING else "id")),
    )


def _decline(error: Body) -> objects.Decline | None:
    if not error:
        return None
    fields = ("code", "decline_code", "advice_code", "network_advice_code")
    return objects.Decline(**{field: error.get(field) or "" for field in fields})


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
