"""PaymentIntents: create, confirm, retrieve, cancel, and what happens to one later."""

from typing import Any

from tests.stripe.errors import ApiError, invalid
from tests.stripe.resources import disputes
from tests.stripe.resources.amounts import check_amount
from tests.stripe.resources.people import behaviour, require_customer, resolve_card
from tests.stripe.state import Object, State

CONFIRMABLE = {"requires_payment_method", "requires_confirmation", "requires_action"}
CANCELABLE = {*CONFIRMABLE, "requires_capture"}
AUTHENTICATION = {"code": "authentication_required", "decline_code": "authentication_required"}


def create_intent(state: State, params: Object) -> Object:
    amount, currency, customer = int(params["amount"]), params["currency"], require_customer(state, params)
    check_amount(amount, currency)
    card = resolve_card(state, params.get("payment_method"), customer=customer, attached=True)
    row = new_intent(state, amount=amount, currency=currency, customer=customer, metadata=params.get("metadata"))
    row.update(payment_method=card["id"], status="requires_confirmation", description=params.get("description"))
    state.tell("payment_intent.created", row)
    return row


def new_intent(state: State, *, amount: int, currency: str, customer: str, metadata: Any) -> Object:
    shown = {"amount": amount, "amount_received": 0, "currency": currency, "customer": customer}
    empty = {"payment_method": None, "latest_charge": None, "last_payment_error": None, "next_action": None}
    return state.add(
        "payment_intent",
        {"refunded": 0, "off_session": False, "session": ""},
        status="requires_payment_method",
        payment_method_types=["card"],
        cancellation_reason=None,
        metadata=metadata or {},
        **shown,
        **empty,
    )


def retrieve_intent(state: State, params: Object, id: str) -> Object:
    return state.get("payment_intent", id)


def confirm_intent(state: State, params: Object, id: str, *, decline: Object | None = None) -> Object:
    """`decline` is a fault's: the codes with which the card is declined whatever it is."""
    row = state.get("payment_intent", id)
    _require(row, CONFIRMABLE, "confirmed")
    off_session = params.get("off_session") == "true"
    if off_session and params.get("return_url"):
        raise invalid("return_url is for a customer who is present.", param="return_url")
    card = resolve_card(state, params.get("payment_method"), customer=row["customer"], attached=True)
    row.update(payment_method=card["id"], next_action=None)
    if decline:
        raise refuse(state, row, **decline)
    if behaviour(state, card["id"]).authenticates == "always":
        if off_session:
            raise refuse(state, row, **AUTHENTICATION)
        return require_action(state, row, params.get("return_url"))
    settle(state, row)
    return row


def require_action(state: State, row: Object, return_url: Any) -> Object:
    if not return_url:
        raise invalid("This payment needs a return_url.", "parameter_missing", "return_url")
    redirect = {"url": f"{state.address}/pages/authenticate/{row['id']}", "return_url": return_url}
    row.update(status="requires_action", next_action={"type": "redirect_to_url", "redirect_to_url": redirect})
    kind = "setup_intent" if row["object"] == "setup_intent" else "payment_intent"
    state.tell(f"{kind}.requires_action", row)
    return row


def settle(state: State, row: Object) -> None:
    """What the bank says in the end. A decline is raised, as the answer of whoever asked."""
    card = behaviour(state, row["payment_method"])
    if card.code:
        codes = {"code": card.code, "decline_code": card.decline_code, "advice_code": card.advice_code}
        raise refuse(state, row, **codes)
    succeed(state, row)
    if card.is_disputed:
        disputes.open_dispute(state, row, amount=row["amount"], status="needs_response")


def succeed(state: State, row: Object) -> None:
    charge = state.add("charge", payment_intent=row["id"], amount=row["amount"], currency=row["currency"])
    row.update(status="succeeded", amount_received=row["amount"], latest_charge=charge["id"])
    row.update(last_payment_error=None, next_action=None)
    state.move("received", row, row["amount"])
    state.tell("payment_intent.succeeded", row)
    state.tell("charge.succeeded", charge)


def refuse(state: State, row: Object, *, code: str, decline_code: str = "", advice_code: str = "") -> ApiError:
    """Note the decline; the 402 to answer with."""
    card = state.objects[row["payment_method"]]
    codes = {"code": code, "decline_code": decline_code, "advice_code": advice_code}
    error = {"type": "card_error", "message": "Your card was declined.", "payment_method": card}
    error |= {name: value for name, value in codes.items() if value}
    row.update(status="requires_payment_method", payment_method=None, last_payment_error=error, next_action=None)
    state.tell("payment_intent.payment_failed", row)
    members: Any = {"decline_code": decline_code, "advice_code": advice_code, "payment_intent": dict(row)}
    return ApiError(402, "card_error", "Your card was declined.", code, **members)


def process(state: State, params: Object, id: str) -> Object:
    """Instead of an outcome: the bank takes its time."""
    row = state.get("payment_intent", id)
    _require(row, CONFIRMABLE, "confirmed")
    row.update(status="processing", payment_method=params.get("payment_method") or row["payment_method"])
    state.tell("payment_intent.processing", row)
    return row


def cancel_intent(state: State, params: Object, id: str) -> Object:
    row = state.get("payment_intent", id)
    _require(row, CANCELABLE, "canceled")
    if state.hidden[id]["session"]:
        raise invalid("You cannot cancel the PaymentIntent of a Checkout Session.")
    row.update(status="canceled", next_action=None, cancellation_reason=params.get("cancellation_reason"))
    state.tell("payment_intent.canceled", row)
    return row


def authenticate(state: State, row: Object, *, succeeded: bool) -> str:
    """The person at the bank's page. Returns the address that it sends back to."""
    if row["status"] != "requires_action":
        raise invalid("Nothing waits for an authentication.")
    return_url = str(row["next_action"]["redirect_to_url"]["return_url"])
    try:
        if not succeeded:
            refuse(state, row, code="payment_intent_authentication_failure")
        else:
            settle(state, row)
    except ApiError:  # a decline is on the intent; the person is sent back all the same
        pass
    mark = "&" if "?" in return_url else "?"
    return f"{return_url}{mark}payment_intent={row['id']}&redirect_status={'succeeded' if succeeded else 'failed'}"


def _require(row: Object, statuses: set[str], verb: str) -> None:
    if row["status"] not in statuses:
        message = f"You cannot perform this action on PaymentIntent because it has a status of {row['status']}."
        message += f" Only one of the following may be {verb}: {', '.join(sorted(statuses))}."
        raise invalid(message, "payment_intent_unexpected_state", payment_intent=dict(row))
