"""The sandbox as a `Gateway`. Its state is rows, so that web, workers and a restart see the same."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from billing.models import SandboxObject
from billing.payments.gateways.errors import GatewayRefused, UnexpectedState, UnknownCustomer, UnknownToken
from billing.payments.gateways.objects import (
    Card,
    CustomerDetails,
    Dispute,
    GatewayEvent,
    Intent,
    IntentState,
    Refund,
    Session,
    SessionState,
    Setup,
)
from billing.payments.gateways.sandbox import answers, charging, store, visits
from billing.payments.gateways.sandbox.cards import CARDS
from billing.payments.gateways.sandbox.urls import session_url
from billing.payments.minor_units import Money

SESSION_LIFE = timedelta(hours=24)
CONFIRMABLE = {IntentState.CREATED, IntentState.ACTION_REQUIRED, IntentState.DECLINED}


class SandboxGateway:
    name = "sandbox"

    def customer(self, details: CustomerDetails, *, idempotency_key: str) -> str:
        return store.once("customer", idempotency_key, asdict(details), dict).id

    def setup_session(
        self, *, customer: str, success_url: str, cancel_url: str, metadata: Mapping[str, str], idempotency_key: str
    ) -> Session:
        request = {"mode": "setup", "success_url": success_url, "cancel_url": cancel_url, "metadata": dict(metadata)}
        expires_at = timezone.now() + SESSION_LIFE
        return self._open_session({**request, "customer": customer}, expires_at, idempotency_key)

    def checkout_session(
        self,
        *,
        customer: str,
        money: Money,
        description: str,
        success_url: str,
        cancel_url: str,
        expires_at: datetime,
        metadata: Mapping[str, str],
        idempotency_key: str,
    ) -> Session:
        request = {"mode": "payment", "success_url": success_url, "cancel_url": cancel_url, "metadata": dict(metadata)}
        request |= {"customer": customer, "description": description, **asdict(money)}
        return self._open_session(request, expires_at, idempotency_key)

    def _open_session(self, request: dict[str, Any], expires_at: datetime, key: str) -> Session:
        _require_customer(request["customer"])
        state = {
            "state": SessionState.OPEN,
            "expires_at": expires_at.isoformat(),
            "intent": "",
            "setup": "",
            "card": "",
        }
        row = store.once("session", key, request, lambda: state)
        return answers.session(row, session_url(row.id))

    def session(self, id: str) -> Session:
        visits.expire_overdue()
        return answers.session(store.get("session", id), session_url(id))

    @transaction.atomic
    def expire_session(self, id: str) -> Session:
        row = store.lock("session", id)
        if row.body["state"] != SessionState.OPEN:
            raise UnexpectedState(f"The session is {row.body['state']}.")
        store.change(row, "checkout.session.expired", state=SessionState.EXPIRED)
        return answers.session(row, "")

    @transaction.atomic
    def save_card(
        self, *, customer: str, token: str, return_url: str, metadata: Mapping[str, str], idempotency_key: str
    ) -> Setup:
        if token not in CARDS:
            raise UnknownToken("resource_missing", f"No such card: {token}")
        _require_customer(customer)

        def make() -> dict[str, Any]:
            return {**charging.NEW_SETUP, "card": charging.add_card(token, "").id}

        request = {"customer": customer, "token": token, "return_url": return_url, "metadata": dict(metadata)}
        row = store.once("setup", idempotency_key, request, make)
        if row.body["state"] == charging.NEW_SETUP["state"]:
            charging.save(row, return_url=return_url)
        return answers.setup(row)

    def setup(self, id: str) -> Setup:
        return answers.setup(store.get("setup", id))

    def card(self, token: str) -> Card:
        try:
            return answers.card(store.get("card", token))
        except GatewayRefused as error:
            raise UnknownToken(error.code, str(error)) from error

    def cards(self, customer: str) -> list[Card]:
        rows = SandboxObject.objects.filter(kind="card", body__customer=customer)
        return [answers.card(row) for row in rows.order_by("-created_at")]

    @transaction.atomic
    def detach(self, token: str) -> None:
        row = store.lock("card", token)
        if row.body["customer"]:
            store.change(row, "payment_method.detached", customer="")

    def create(
        self,
        *,
        customer: str,
        card: str,
        money: Money,
        description: str,
        metadata: Mapping[str, str],
        idempotency_key: str,
    ) -> Intent:
        _require_customer(customer)
        self._require_card(card, customer)
        request = {"customer": customer, "description": description, "metadata": dict(metadata), **asdict(money)}
        return answers.intent(
            store.once("intent", idempotency_key, request, lambda: {**charging.NEW_INTENT, "card": card})
        )

    def find(self, *, customer: str, metadata: Mapping[str, str], since: datetime) -> Intent | None:
        request = {"customer": customer, "metadata": dict(metadata)}
        rows = SandboxObject.objects.filter(kind="intent", created_at__gte=since, body__contains={"request": request})
        row = rows.order_by("created_at").first()
        return answers.intent(row) if row else None

    @transaction.atomic
    def confirm(self, id: str, *, card: str, return_url: str | None, idempotency_key: str) -> Intent:
        row = store.lock("intent", id)
        if row.body["confirmed_by"] == idempotency_key:
            return answers.intent(row)
        if row.body["state"] not in CONFIRMABLE:
            raise UnexpectedState(f"The intent is {row.body['state']}.")
        self._require_card(card, row.body["request"]["customer"])
        row.body.update(card=card, confirmed_by=idempotency_key, return_url=return_url or "", next_action_url="")
        charging.charge(row, return_url=return_url)
        return answers.intent(row)

    def _require_card(self, token: str, customer: str) -> None:
        if self.card(token).customer != customer:
            raise UnknownToken("resource_missing", f"The card {token} is not this customer's.")

    def retrieve(self, id: str) -> Intent:
        return answers.intent(store.get("intent", id))

    @transaction.atomic
    def cancel(self, id: str) -> Intent:
        row = store.lock("intent", id)
        if row.body["state"] in CONFIRMABLE:
            store.change(row, "payment_intent.canceled", state=IntentState.CANCELED, next_action_url="")
        return answers.intent(row)

    @transaction.atomic
    def refund(self, *, intent: str, money: Money, metadata: Mapping[str, str], idempotency_key: str) -> Refund:
        row = store.lock("intent", intent)

        def make() -> dict[str, Any]:
            _require_refundable(row, money)
            row.body["refunded"] += money.minor
            row.save(update_fields=["body"])
            return {}

        request = {"intent": intent, "metadata": dict(metadata), **asdict(money)}
        return answers.refund(store.once("refund", idempotency_key, request, make, event="refund.created"))

    def retrieve_refund(self, id: str) -> Refund:
        return answers.refund(store.get("refund", id))

    def retrieve_dispute(self, id: str) -> Dispute:
        return answers.dispute(store.get("dispute", id))

    def events(self, since: datetime) -> Iterator[GatewayEvent]:
        visits.expire_overdue()
        return map(answers.event, store.since("event", since))

    def intents(self, since: datetime) -> Iterator[Intent]:
        return map(answers.intent, store.since("intent", since))

    def refunds(self, since: datetime) -> Iterator[Refund]:
        return map(answers.refund, store.since("refund", since))

    def disputes(self, since: datetime) -> Iterator[Dispute]:
        return map(answers.dispute, store.since("dispute", since))

    def missing_permissions(self) -> list[str]:
        return []


def _require_customer(id: str) -> None:
    if not SandboxObject.objects.filter(kind="customer", id=id).exists():
        raise UnknownCustomer("resource_missing", f"No such customer: {id}")


def _require_refundable(intent: SandboxObject, money: Money) -> None:
    body = intent.body
    if body["state"] != IntentState.SUCCEEDED or money.currency != body["request"]["currency"]:
        raise GatewayRefused("payment_intent_unexpected_state", "Nothing was paid in this currency.")
    if body["disputed"]:
        raise GatewayRefused("charge_disputed", "The charge is disputed.")
    left = body["received"] - body["refunded"]
    if money.minor > left:
        raise GatewayRefused("charge_already_refunded" if not left else "amount_too_large", f"{left} is left.")
