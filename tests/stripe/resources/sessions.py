"""Checkout Sessions, and what a person does on their page."""

from tests.stripe.errors import ApiError, invalid
from tests.stripe.resources import intents, setups
from tests.stripe.resources.amounts import check_amount
from tests.stripe.resources.people import add_card, attach, require_customer
from tests.stripe.state import Object, State

HALF_AN_HOUR, DAY = 1800, 86_400


def create_session(state: State, params: Object) -> Object:
    customer, mode = require_customer(state, params), params.get("mode")
    if mode not in ("setup", "payment"):
        raise invalid("mode must be setup or payment here.", param="mode")
    if not params.get("success_url"):
        raise invalid("success_url is required.", "parameter_missing", "success_url")
    shown = {"customer": customer, "mode": mode, "status": "open", "metadata": params.get("metadata") or {}}
    shown |= {"payment_intent": None, "setup_intent": None, "expires_at": _expires_at(state, params)}
    amount = _check_lines(params) if mode == "payment" else None
    row = state.add("checkout.session", {"params": params, "amount": amount}, payment_status="unpaid", **shown)
    row["url"] = f"{state.address}/pages/checkout/{row['id']}"
    if mode == "setup":
        metadata = (params.get("setup_intent_data") or {}).get("metadata") or {}
        row["setup_intent"] = setups.new_setup(state, customer, metadata)["id"]
    return row


def _expires_at(state: State, params: Object) -> int:
    at = int(params.get("expires_at") or state.now() + DAY)
    if not state.now() + HALF_AN_HOUR - 5 <= at <= state.now() + DAY + 5:
        raise invalid(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from now.", param="expires_at"
        )
    return at


def _check_lines(params: Object) -> Object:
    lines = params.get("line_items") or []
    if len(lines) != 1:
        raise invalid("One line item is expected here.", "parameter_missing", "line_items")
    price = lines[0]["price_data"]
    if (params.get("adaptive_pricing") or {}).get("enabled") != "false":
        raise invalid("Adaptive pricing would charge another currency.", param="adaptive_pricing")
    check_amount(int(price["unit_amount"]), price["currency"])
    return {"amount": int(price["unit_amount"]) * int(lines[0]["quantity"]), "currency": price["currency"]}


def retrieve_session(state: State, params: Object, id: str) -> Object:
    return state.get("checkout.session", id)


def expire_session(state: State, params: Object, id: str) -> Object:
    row = state.get("checkout.session", id)
    if row["status"] != "open":
        raise invalid('Only Checkout Sessions with a status in ["open"] can be expired.')
    expire(state, row)
    return row


def expire(state: State, row: Object) -> None:
    row.update(status="expired", url=None)
    state.tell("checkout.session.expired", row)


def expire_overdue(state: State) -> None:
    for row in state.all("checkout.session"):
        if row["status"] == "open" and row["expires_at"] <= state.now():
            expire(state, row)


def complete(state: State, id: str, card_name: str) -> str:
    """A person uses this card on the page. Returns where the page sends them; a decline is raised."""
    row = state.get("checkout.session", id)
    if row["status"] != "open":
        raise invalid("The session is not open.")
    card = add_card(state, card_name)
    if row["mode"] == "setup":
        setup = state.objects[row["setup_intent"]]
        setup["payment_method"] = card["id"]
        setups.succeed(state, setup)
    else:
        _pay(state, row, card)
    row.update(status="complete", url=None)
    state.tell("checkout.session.completed", row)
    return str(state.hidden[id]["params"]["success_url"]).replace("{CHECKOUT_SESSION_ID}", id)


def _pay(state: State, row: Object, card: Object) -> None:
    hidden = state.hidden[row["id"]]
    data = hidden["params"].get("payment_intent_data") or {}
    if "intent" not in hidden:
        intent = intents.new_intent(
            state, customer=row["customer"], metadata=data.get("metadata") or {}, **hidden["amount"]
        )
        state.hidden[intent["id"]]["session"] = row["id"]
        hidden["intent"] = intent["id"]
    intent = state.objects[hidden["intent"]]
    intent["payment_method"] = card["id"]
    intents.settle(state, intent)  # a card that wants to be authenticated is, on the page
    if data.get("setup_future_usage") == "off_session":
        attach(state, card, row["customer"])
    row.update(payment_intent=intent["id"], payment_status="paid")


def decline_of(error: ApiError) -> Object:
    return {name: error.body["error"].get(name, "") for name in ("code", "decline_code", "advice_code")}
