"""How the sandbox's cards react: to being saved, charged and authenticated. The rows given here are locked."""

from typing import Any

from billing.models import SandboxObject
from billing.payments.gateways.errors import UnexpectedState
from billing.payments.gateways.objects import Decline, IntentState, SetupState
from billing.payments.gateways.sandbox import answers, store
from billing.payments.gateways.sandbox.cards import CARDS, Authentication, SandboxCard
from billing.payments.gateways.sandbox.urls import authentication_url

AUTHENTICATION_REQUIRED = Decline("authentication_required", "authentication_required")
NEW = {"card": "", "decline": None, "next_action_url": "", "return_url": ""}
NEW_INTENT = {"state": IntentState.CREATED, "received": 0, "refunded": 0, "disputed": False, "confirmed_by": "", **NEW}
NEW_SETUP = {"state": SetupState.PENDING, **NEW}


def add_card(name: str, customer: str) -> SandboxObject:
    """A card that may be charged once it has a customer."""
    return store.add("card", {"name": name, "customer": customer})


def save(setup: SandboxObject, *, return_url: str) -> None:
    """Save the setup's card, or send its owner to authenticate first."""
    if _test_card(setup).authentication == Authentication.NEVER:
        finish_setup(setup)
    else:
        store.change(
            setup,
            "setup_intent.requires_action",
            state=SetupState.ACTION_REQUIRED,
            next_action_url=authentication_url(setup.id),
            return_url=return_url,
        )


def finish_setup(setup: SandboxObject) -> None:
    card = store.lock("card", setup.body["card"])
    store.change(card, "payment_method.attached", customer=setup.body["request"]["customer"])
    store.change(setup, "setup_intent.succeeded", state=SetupState.SUCCEEDED, next_action_url="")


def charge(intent: SandboxObject, *, return_url: str | None) -> None:
    """Charge the intent's card. Without a return URL its owner isn't there to authenticate."""
    if _test_card(intent).authentication != Authentication.ALWAYS:
        finish_charge(intent)
    elif return_url:
        _require_action(intent, return_url=return_url, next_action_url=authentication_url(intent.id))
    else:
        _require_action(intent, decline=answers.stored(AUTHENTICATION_REQUIRED))


def _require_action(intent: SandboxObject, **changes: Any) -> None:
    store.change(intent, "payment_intent.requires_action", state=IntentState.ACTION_REQUIRED, **changes)


def finish_charge(intent: SandboxObject) -> None:
    """What the bank says in the end."""
    test_card = _test_card(intent)
    if test_card.decline:
        decline(intent, test_card.decline)
        return
    request = intent.body["request"]
    changes = {"received": request["minor"], "decline": None, "next_action_url": "", "disputed": test_card.is_disputed}
    store.change(intent, "payment_intent.succeeded", state=IntentState.SUCCEEDED, **changes)
    if test_card.is_disputed:
        body = {"intent": intent.id, "minor": request["minor"], "currency": request["currency"]}
        dispute = store.add("dispute", body)
        store.tell("charge.dispute.created", dispute)
        store.tell("charge.dispute.funds_withdrawn", dispute)


def decline(intent: SandboxObject, reason: Decline) -> None:
    changes = {"decline": answers.stored(reason), "next_action_url": ""}
    store.change(intent, "payment_intent.payment_failed", state=IntentState.DECLINED, **changes)


def authenticate(row: SandboxObject, *, succeeded: bool) -> str:
    """The owner authenticates, or fails to. Returns the address to send them back to."""
    require_waiting(row)
    if row.kind == "setup":
        _authenticate_setup(row, succeeded=succeeded)
    elif succeeded:
        finish_charge(row)
    else:
        decline(row, Decline("payment_intent_authentication_failure"))
    return str(row.body["return_url"])


def require_waiting(row: SandboxObject) -> None:
    if row.body["state"] != IntentState.ACTION_REQUIRED or not row.body["next_action_url"]:
        raise UnexpectedState("Nothing waits for an authentication.")


def _authenticate_setup(setup: SandboxObject, *, succeeded: bool) -> None:
    if succeeded:
        finish_setup(setup)
        return
    reason = answers.stored(Decline("setup_intent_authentication_failure"))
    store.change(setup, "setup_intent.setup_failed", state=SetupState.FAILED, decline=reason, next_action_url="")


def _test_card(row: SandboxObject) -> SandboxCard:
    return CARDS[store.get("card", row.body["card"]).body["name"]]
