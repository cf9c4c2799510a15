"""Disputes: what a bank does to a payment afterwards."""

from tests.stripe.state import Object, State

FEE = 1500


def open_dispute(state: State, intent: Object, *, amount: int, status: str) -> Object:
    """`warning_needs_response` is an inquiry: no money moves. With `needs_response` it is withdrawn at once."""
    shown = {"amount": amount, "currency": intent["currency"], "payment_intent": intent["id"], "status": status}
    shown |= {"charge": intent["latest_charge"], "reason": "fraudulent", "metadata": {}}
    is_inquiry = status.startswith("warning_")
    row = state.add("dispute", balance_transactions=[], is_charge_refundable=is_inquiry, **shown)
    state.tell("charge.dispute.created", row)
    if not is_inquiry:
        withdraw(state, row)
    return row


def withdraw(state: State, row: Object) -> None:
    row.update(status="needs_response", is_charge_refundable=False)
    _transact(state, row, "withdrawn", -row["amount"])


def reinstate(state: State, row: Object, amount: int | None = None) -> None:
    _transact(state, row, "reinstated", row["amount"] if amount is None else amount)


def _transact(state: State, row: Object, kind: str, amount: int) -> None:
    transaction = {"object": "balance_transaction", "amount": amount, "currency": row["currency"], "fee": FEE}
    row["balance_transactions"].append({**transaction, "id": f"txn_{len(row['balance_transactions'])}_{row['id']}"})
    state.move(kind, state.objects[row["payment_intent"]], abs(amount))
    state.tell(f"charge.dispute.funds_{kind}", row)


def close(state: State, row: Object, *, status: str) -> None:
    row["status"] = status
    if status == "won":
        reinstate(state, row)
    state.tell("charge.dispute.closed", row)


def retrieve_dispute(state: State, params: Object, id: str) -> Object:
    return state.get("dispute", id)
