"""What a person does on the sandbox's own pages: choose a test card, pay, authenticate."""

from django.db import transaction

from billing.models import SandboxObject
from billing.payments.gateways.base import SESSION_ID
from billing.payments.gateways.errors import GatewayRefused, UnexpectedState
from billing.payments.gateways.objects import Decline, IntentState, SessionState
from billing.payments.gateways.sandbox import answers, charging, store


@transaction.atomic
def complete(session_id: str, name: str) -> str | Decline:
    """Save the test card of that name, or pay with it. Returns where to go next, or why it was declined."""
    session = store.lock("session", session_id)
    if session.body["state"] != SessionState.OPEN or answers.is_overdue(session):
        raise UnexpectedState("The session is not open.")
    return _save_card(session, name) if session.body["request"]["mode"] == "setup" else _pay(session, name)


def _save_card(session: SandboxObject, name: str) -> str:
    """Authentication is part of the page."""
    request = session.body["request"]
    card = charging.add_card(name, "")
    inner = {"customer": request["customer"], "metadata": request["metadata"]}
    setup = store.add("setup", {"request": inner, **charging.NEW_SETUP, "card": card.id})
    charging.finish_setup(setup)
    return _close(session, setup=setup.id, card=card.id)


def _pay(session: SandboxObject, name: str) -> str | Decline:
    request = session.body["request"]
    wanted = {"customer", "minor", "currency", "description", "metadata"}
    inner = {part: value for part, value in request.items() if part in wanted}
    card = charging.add_card(name, "")
    intent = store.add("intent", {"request": inner, **charging.NEW_INTENT, "card": card.id})
    charging.finish_charge(intent)
    if intent.body["state"] != IntentState.SUCCEEDED:
        return Decline(**intent.body["decline"])
    store.change(card, "payment_method.attached", customer=request["customer"])
    return _close(session, intent=intent.id, card=card.id)


def _close(session: SandboxObject, **changes: str) -> str:
    store.change(session, "checkout.session.completed", state=SessionState.COMPLETE, **changes)
    return str(session.body["request"]["success_url"]).replace(SESSION_ID, session.id)


@transaction.atomic
def authenticate(id: str, *, succeeded: bool) -> str:
    """Of a payment or of a card being saved. Returns the address to go back to."""
    return charging.authenticate(store.lock(_kind(id), id), succeeded=succeeded)


def require_authentication(id: str) -> None:
    """For the page: `UnexpectedState` unless something waits for its owner."""
    charging.require_waiting(store.get(_kind(id), id))


def _kind(id: str) -> str:
    return "setup" if id.startswith("seti_") else "intent"


def open_session(id: str) -> SandboxObject:
    """The session, for its page; `GatewayRefused` when there is none, or it is no longer open."""
    session = store.get("session", id)
    if session.body["state"] != SessionState.OPEN or answers.is_overdue(session):
        raise GatewayRefused("session_closed")
    return session


@transaction.atomic
def expire_overdue() -> None:
    """Close the pages whose time is over, each with its event."""
    due = [row for row in SandboxObject.objects.filter(kind="session", body__state="open") if answers.is_overdue(row)]
    for row in due:
        session = store.lock("session", row.id)
        if session.body["state"] == SessionState.OPEN:
            store.change(session, "checkout.session.expired", state=SessionState.EXPIRED)
