"""Customers and their cards."""

import hashlib
from typing import Any

from tests.stripe.cards import CARDS, TestCard
from tests.stripe.errors import invalid, missing
from tests.stripe.state import Object, State


def create_customer(state: State, params: Object) -> Object:
    shown = {name: params.get(name) for name in ("name", "email", "address", "description")}
    row = state.add("customer", metadata=params.get("metadata") or {}, **shown)
    state.tell("customer.created", row)
    return row


def retrieve_customer(state: State, params: Object, id: str) -> Object:
    return state.get("customer", id)


def require_customer(state: State, params: Object) -> str:
    """The id in the parameters; a deleted customer is no customer."""
    id = str(params.get("customer") or "")
    state.get("customer", id, "customer")
    return id


def delete_customer(state: State, id: str) -> None:
    row = state.objects.pop(id)
    for card in state.all("payment_method"):
        if card["customer"] == id:
            card["customer"] = None
    state.tell("customer.deleted", row)


def add_card(state: State, name: str, customer: str | None = None) -> Object:
    """A new payment method of a test card; the same card has the same fingerprint under each id."""
    card = CARDS[name]
    shown = {"brand": card.brand, "last4": card.last4, "exp_month": 12, "exp_year": 2040, "funding": "credit"}
    shown["fingerprint"] = hashlib.sha256(name.encode()).hexdigest()[:16]
    return state.add("payment_method", {"name": name}, type="card", card=shown, customer=customer, metadata={})


def resolve_card(state: State, id: Any, *, customer: str, attached: bool) -> Object:
    """A payment method by its id, or a new one by a test name. An `attached` one must be this customer's."""
    if id in CARDS:
        return add_card(state, id)
    row = state.objects.get(id or "")
    if row is None or row["object"] != "payment_method":
        raise missing("PaymentMethod", str(id), "payment_method")
    if row["customer"] not in (None, customer):
        raise invalid("The payment method is attached to another customer.", param="payment_method")
    if attached and row["customer"] is None:
        message = "The customer does not have a payment method with this ID. It must be attached to the customer."
        raise invalid(message, "resource_missing", "payment_method")
    return row


def behaviour(state: State, card: str) -> TestCard:
    return CARDS[state.hidden[card]["name"]]


def attach(state: State, card: Object, customer: str) -> None:
    card["customer"] = customer
    state.tell("payment_method.attached", card)


def retrieve_card(state: State, params: Object, id: str) -> Object:
    return state.get("payment_method", id)


def detach_card(state: State, params: Object, id: str) -> Object:
    row = state.get("payment_method", id)
    if row["customer"] is None:
        raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
    row["customer"] = None
    state.tell("payment_method.detached", row)
    return row


def update_card(state: State, id: str, exp_year: int, *, automatically: bool) -> None:
    row = state.get("payment_method", id)
    row["card"]["exp_year"] = exp_year
    state.tell("payment_method.automatically_updated" if automatically else "payment_method.updated", row)
