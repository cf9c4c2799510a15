"""Refunds: by API or in the dashboard, and those that fail days later."""

from tests.stripe.errors import invalid
from tests.stripe.state import Object, State


def create_refund(state: State, params: Object, *, status: str = "succeeded") -> Object:
    intent = state.get("payment_intent", str(params.get("payment_intent")), "payment_intent")
    if intent["status"] != "succeeded":
        raise invalid("This PaymentIntent does not have a successful charge to refund.")
    left = intent["amount_received"] - state.hidden[intent["id"]]["refunded"]
    amount = int(params.get("amount") or left)
    if any(not row["is_charge_refundable"] for row in state.all("dispute") if row["payment_intent"] == intent["id"]):
        raise invalid("The charge has been charged back.", "charge_disputed")
    if not left:
        raise invalid("The charge has already been refunded.", "charge_already_refunded")
    if not 0 < amount <= left:
        raise invalid(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount")
    state.hidden[intent["id"]]["refunded"] += amount
    shown = {"amount": amount, "currency": intent["currency"], "payment_intent": intent["id"], "status": status}
    shown |= {"metadata": params.get("metadata") or {}, "reason": params.get("reason"), "failure_reason": None}
    row = state.add("refund", charge=intent["latest_charge"], **shown)
    if status == "succeeded":
        state.move("refunded", intent, amount)
    state.tell("refund.created", row)
    return row


def retrieve_refund(state: State, params: Object, id: str) -> Object:
    return state.get("refund", id)


def finish(state: State, id: str, *, status: str) -> None:
    """A pending one ends, or one that had succeeded fails after all."""
    row = state.get("refund", id)
    intent = state.objects[row["payment_intent"]]
    before = row["status"]
    row.update(status=status, failure_reason="lost_or_stolen_card" if status == "failed" else None)
    if status == "succeeded" and before != "succeeded":
        state.move("refunded", intent, row["amount"])
    if status in ("failed", "canceled"):
        state.hidden[intent["id"]]["refunded"] -= row["amount"]
        if before == "succeeded":
            state.move("returned", intent, row["amount"])
    state.tell("refund.failed" if status == "failed" else "refund.updated", row)
