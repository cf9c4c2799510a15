"""The calls that the stand-in knows: path, name, the library's type of the parameters, and what does it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.stripe.errors import ApiError
from tests.stripe.resources import disputes, intents, people, refunds, sessions, setups
from tests.stripe.resources.lists import listed
from tests.stripe.state import Object, State

Handler = Callable[..., Object]


@dataclass(frozen=True)
class Route:
    method: str
    pattern: str
    name: str
    params: str
    handler: Handler


def _list(kind: str) -> Handler:
    path = {"checkout.session": "checkout/sessions"}.get(kind, f"{kind}s")
    return partial(listed, kind=kind, path=f"/v1/{path}")


def _event(state: State, params: Object, id: str) -> Object:
    return state.get("event", id)


ID = r"/(\w+)"
ROUTES = [
    Route("POST", "customers", "customers.create", "CustomerCreateParams", people.create_customer),
    Route("GET", "customers", "customers.list", "CustomerListParams", _list("customer")),
    Route("GET", f"customers{ID}", "customers.retrieve", "CustomerRetrieveParams", people.retrieve_customer),
    Route("GET", "payment_methods", "payment_methods.list", "PaymentMethodListParams", _list("payment_method")),
    Route(
        "GET", f"payment_methods{ID}", "payment_methods.retrieve", "PaymentMethodRetrieveParams", people.retrieve_card
    ),
    Route(
        "POST", f"payment_methods{ID}/detach", "payment_methods.detach", "PaymentMethodDetachParams", people.detach_card
    ),
    Route("POST", "setup_intents", "setup_intents.create", "SetupIntentCreateParams", setups.create_setup),
    Route("GET", "setup_intents", "setup_intents.list", "SetupIntentListParams", _list("setup_intent")),
    Route("GET", f"setup_intents{ID}", "setup_intents.retrieve", "SetupIntentRetrieveParams", setups.retrieve_setup),
    Route("POST", "checkout/sessions", "sessions.create", "checkout.SessionCreateParams", sessions.create_session),
    Route("GET", "checkout/sessions", "sessions.list", "checkout.SessionListParams", _list("checkout.session")),
    Route(
        "GET", f"checkout/sessions{ID}", "sessions.retrieve", "checkout.SessionRetrieveParams",
        sessions.retrieve_session,
    ),
    Route(
        "POST", f"checkout/sessions{ID}/expire", "sessions.expire", "checkout.SessionExpireParams",
        sessions.expire_session,
    ),
    Route("POST", "payment_intents", "payment_intents.create", "PaymentIntentCreateParams", intents.create_intent),
    Route("GET", "payment_intents", "payment_intents.list", "PaymentIntentListParams", _list("payment_intent")),
    Route(
        "GET", f"payment_intents{ID}", "payment_intents.retrieve", "PaymentIntentRetrieveParams",
        intents.retrieve_intent,
    ),
    Route(
        "POST", f"payment_intents{ID}/confirm", "payment_intents.confirm", "PaymentIntentConfirmParams",
        intents.confirm_intent,
    ),
    Route(
        "POST", f"payment_intents{ID}/cancel", "payment_intents.cancel", "PaymentIntentCancelParams",
        intents.cancel_intent,
    ),
    Route("POST", "refunds", "refunds.create", "RefundCreateParams", refunds.create_refund),
    Route("GET", "refunds", "refunds.list", "RefundListParams", _list("refund")),
    Route("GET", f"refunds{ID}", "refunds.retrieve", "RefundRetrieveParams", refunds.retrieve_refund),
    Route("GET", "disputes", "disputes.list", "DisputeListParams", _list("dispute")),
    Route("GET", f"disputes{ID}", "disputes.retrieve", "DisputeRetrieveParams", disputes.retrieve_dispute),
    Route("GET", "events", "events.list", "EventListParams", _list("event")),
    Route("GET", f"events{ID}", "events.retrieve", "EventRetrieveParams", _event),
]  # fmt: skip


def find(method: str, path: str) -> tuple[Route, tuple[Any, ...]]:
    for route in ROUTES:
        match = re.fullmatch(f"/v1/{route.pattern}", path)
        if match and route.method == method:
            return route, match.groups()
    raise ApiError(404, "invalid_request_error", f"Unrecognized request URL ({method}: {path}).")
