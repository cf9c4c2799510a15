"""Converts the sandbox's rows to the dataclasses that gateways return."""

from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.utils import timezone

from billing.models import SandboxObject
from billing.payments.gateways import objects
from billing.payments.gateways.sandbox import store
from billing.payments.gateways.sandbox.cards import CARDS
from billing.payments.minor_units import Money


def card(row: SandboxObject) -> objects.Card:
    test_card = CARDS[row.body["name"]]
    return objects.Card(
        token=row.id,
        brand=test_card.brand,
        last4=test_card.last4,
        exp_month=12,
        exp_year=2040,
        fingerprint=sha256(row.body["name"].encode()).hexdigest()[:16],
        customer=row.body["customer"],
    )


def intent(row: SandboxObject) -> objects.Intent:
    body, request = row.body, row.body["request"]
    return objects.Intent(
        id=row.id,
        state=objects.IntentState(body["state"]),
        money=Money(request["minor"], request["currency"]),
        received=body["received"],
        created_at=row.created_at,
        customer=request["customer"],
        card=_card_of(body),
        decline=_decline_of(body),
        next_action_url=body["next_action_url"],
        metadata=request["metadata"],
    )


def setup(row: SandboxObject) -> objects.Setup:
    body, request = row.body, row.body["request"]
    return objects.Setup(
        id=row.id,
        state=objects.SetupState(body["state"]),
        customer=request["customer"],
        card=_card_of(body),
        decline=_decline_of(body),
        next_action_url=body["next_action_url"],
        metadata=request["metadata"],
    )


def session(row: SandboxObject, url: str) -> objects.Session:
    body, request = row.body, row.body["request"]
    state = objects.SessionState(body["state"])
    return objects.Session(
        id=row.id,
        state=state,
        url=url if state == objects.SessionState.OPEN else "",
        expires_at=datetime.fromisoformat(body["expires_at"]),
        customer=request["customer"],
        intent=body["intent"],
        setup=body["setup"],
        card=_card_of(body) if body["setup"] else None,
        metadata=request["metadata"],
    )


def is_overdue(row: SandboxObject) -> bool:
    expires_at = datetime.fromisoformat(row.body["expires_at"])
    return row.body["state"] == objects.SessionState.OPEN and expires_at <= timezone.now()


def refund(row: SandboxObject) -> objects.Refund:
    request = row.body["request"]
    return objects.Refund(
        id=row.id,
        state=objects.RefundState.SUCCEEDED,
        money=Money(request["minor"], request["currency"]),
        intent=request["intent"],
        created_at=row.created_at,
        metadata=request["metadata"],
    )


def dispute(row: SandboxObject) -> objects.Dispute:
    body = row.body
    return objects.Dispute(
        id=row.id,
        state=objects.DisputeState.OPEN,
        money=Money(body["minor"], body["currency"]),
        intent=body["intent"],
        reason="fraudulent",
        created_at=row.created_at,
        withdrawn=body["minor"],
    )


def event(row: SandboxObject) -> objects.GatewayEvent:
    body = row.body
    return objects.GatewayEvent(
        row.id, body["type"], row.created_at, objects.Subject(body["subject"]), body["object_id"]
    )


def stored(decline: objects.Decline | None) -> dict[str, str] | None:
    return asdict(decline) if decline else None


def _decline_of(body: dict[str, Any]) -> objects.Decline | None:
    return objects.Decline(**body["decline"]) if body["decline"] else None


def _card_of(body: dict[str, Any]) -> objects.Card | None:
    return card(store.get("card", body["card"])) if body["card"] else None
