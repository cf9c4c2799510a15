"""SetupIntents: saving a card, with its owner's authentication."""

from tests.stripe.errors import ApiError, invalid
from tests.stripe.resources import intents
from tests.stripe.resources.people import attach, behaviour, require_customer, resolve_card
from tests.stripe.state import Object, State


def create_setup(state: State, params: Object, *, decline: Object | None = None) -> Object:
    customer = require_customer(state, params)
    card = resolve_card(state, params.get("payment_method"), customer=customer, attached=False)
    row = new_setup(state, customer, params.get("metadata") or {}, usage=params.get("usage", "off_session"))
    row["payment_method"] = card["id"]
    if params.get("confirm") != "true":
        return row
    if decline:
        raise refuse(state, row, **decline)
    if behaviour(state, card["id"]).authenticates != "never":
        return intents.require_action(state, row, params.get("return_url"))
    succeed(state, row)
    return row


def new_setup(state: State, customer: str, metadata: Object, usage: str = "off_session") -> Object:
    empty = {"payment_method": None, "last_setup_error": None, "next_action": None}
    fields: Object = {"customer": customer, "metadata": metadata, "usage": usage, **empty}
    return state.add("setup_intent", {}, status="requires_payment_method", payment_method_types=["card"], **fields)


def retrieve_setup(state: State, params: Object, id: str) -> Object:
    return state.get("setup_intent", id)


def succeed(state: State, row: Object) -> None:
    attach(state, state.objects[row["payment_method"]], row["customer"])
    row.update(status="succeeded", next_action=None, last_setup_error=None)
    state.tell("setup_intent.succeeded", row)


def refuse(state: State, row: Object, *, code: str, decline_code: str = "", advice_code: str = "") -> ApiError:
    error = {"type": "card_error", "code": code, "payment_method": state.objects[row["payment_method"]]}
    error |= {"decline_code": decline_code, "advice_code": advice_code}
    row.update(status="requires_payment_method", payment_method=None, last_setup_error=error, next_action=None)
    state.tell("setup_intent.setup_failed", row)
    return ApiError(
        402, "card_error", "Your card was declined.", code, decline_code=decline_code, setup_intent=dict(row)
    )


def authenticate(state: State, row: Object, *, succeeded: bool) -> str:
    if row["status"] != "requires_action":
        raise invalid("Nothing waits for an authentication.")
    return_url = str(row["next_action"]["redirect_to_url"]["return_url"])
    if succeeded:
        succeed(state, row)
    else:
        refuse(state, row, code="setup_intent_authentication_failure")
    return f"{return_url}{'&' if '?' in return_url else '?'}setup_intent={row['id']}"
