"""Stripe as a `Gateway`. `docs/payments.md` says why each call is made as it is."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import stripe
from django.conf import settings

from billing.payments.gateways.errors import GatewayRefused, UnexpectedState, UnknownObject, UnknownToken
from billing.payments.gateways.objects import (
    Card,
    CustomerDetails,
    Dispute,
    GatewayEvent,
    Intent,
    Refund,
    Session,
    Setup,
)
from billing.payments.gateways.stripe import answers, permissions, webhooks
from billing.payments.gateways.stripe.answers import body_of
from billing.payments.gateways.stripe.client import READ, client, translated, write
from billing.payments.minor_units import Money

# Cards only, so that every payment has its outcome at once.
CARDS: Any = ["card"]
WITH_CARD = ["payment_method"]
WITH_SAVED_CARD = ["setup_intent.payment_method"]
# What we are told of. A list of events takes 20 types at most, so they are polled in two lists.
EVENT_TYPES = (
    (
        "payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.requires_action",
        "payment_intent.processing", "payment_intent.canceled", "setup_intent.succeeded", "setup_intent.setup_failed",
        "checkout.session.completed", "checkout.session.expired",
    ),
    (
        "payment_method.updated", "payment_method.automatically_updated", "payment_method.detached",
        "refund.created", "refund.updated", "refund.failed", "charge.dispute.created", "charge.dispute.updated",
        "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated", "charge.dispute.closed",
        "radar.early_fraud_warning.created", "customer.deleted",
    ),
)  # fmt: skip


class StripeGateway:
    name = "stripe"

    def customer(self, details: CustomerDetails, *, idempotency_key: str) -> str:
        address = {"country": details.country, "line1": details.line1, "line2": details.line2, "city": details.city}
        address |= {"state": details.state, "postal_code": details.postal_code}
        params: Any = {
            "name": details.name,
            "email": details.email,
            "address": {part: value for part, value in address.items() if value},
            "metadata": {"tollgate_account": details.account},
        }
        with translated():
            return client().v1.customers.create(params, write(idempotency_key)).id

    def setup_session(
        self, *, customer: str, success_url: str, cancel_url: str, metadata: Mapping[str, str], idempotency_key: str
    ) -> Session:
        params = {"mode": "setup", "setup_intent_data": {"metadata": metadata}, "success_url": success_url}
        params |= {"cancel_url": cancel_url, "customer": customer, "metadata": metadata}
        return self._open_session(params, idempotency_key)

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
        price = {"currency": money.currency.lower(), "unit_amount": money.minor, "product_data": {"name": description}}
        params = {
            "mode": "payment",
            "customer": customer,
            "line_items": [{"quantity": 1, "price_data": price}],
            "payment_intent_data": {"setup_future_usage": "off_session", "metadata": metadata},
            "adaptive_pricing": {"enabled": False},  # it would charge another currency than the account's
            "expires_at": int(expires_at.timestamp()),
            "success_url": success_url,
            "cancel_url": cancel_url,
            "metadata": metadata,
        }
        return self._open_session(params, idempotency_key)

    def _open_session(self, params: dict[str, Any], idempotency_key: str) -> Session:
        everything: Any = {**params, "allowed_payment_method_types": CARDS, "expand": WITH_SAVED_CARD}
        with translated():
            answer = client().v1.checkout.sessions.create(everything, write(idempotency_key))
        return answers.session(body_of(answer))

    def session(self, id: str) -> Session:
        with translated():
            answer = client().v1.checkout.sessions.retrieve(id, {"expand": WITH_SAVED_CARD}, READ)
        return answers.session(body_of(answer))

    def expire_session(self, id: str) -> Session:
        try:
            with translated():
                answer = client().v1.checkout.sessions.expire(id, {"expand": WITH_SAVED_CARD})
        except UnknownObject:
            raise
        except GatewayRefused as error:
            raise UnexpectedState(str(error)) from error
        return answers.session(body_of(answer))

    def save_card(
        self, *, customer: str, token: str, return_url: str, metadata: Mapping[str, str], idempotency_key: str
    ) -> Setup:
        params: Any = {
            "customer": customer,
            "payment_method": token,
            "allowed_payment_method_types": CARDS,
            "usage": "off_session",
            "confirm": True,
            "return_url": return_url,
            "metadata": metadata,
            "expand": WITH_CARD,
        }
        with translated():
            try:
                answer = client().v1.setup_intents.create(params, write(idempotency_key))
            except stripe.CardError as error:
                declined = getattr(error.error, "setup_intent", None)
                if declined is None:
                    raise
                return self.setup(declined.id)
        return answers.setup(body_of(answer))

    def setup(self, id: str) -> Setup:
        with translated():
            answer = client().v1.setup_intents.retrieve(id, {"expand": WITH_CARD}, READ)
        return answers.setup(body_of(answer))

    def card(self, token: str) -> Card:
        try:
            with translated():
                return answers.card(body_of(client().v1.payment_methods.retrieve(token, None, READ)))
        except GatewayRefused as error:
            raise UnknownToken(error.code, str(error)) from error

    def cards(self, customer: str) -> list[Card]:
        with translated():
            page = client().v1.payment_methods.list({"customer": customer, "type": "card", "limit": 100}, READ)
            return [answers.card(body_of(each)) for each in page.auto_paging_iter()]

    def detach(self, token: str) -> None:
        if self.card(token).customer:
            with translated():
                client().v1.payment_methods.detach(token)

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
        params: Any = {
            "amount": money.minor,
            "currency": money.currency.lower(),
            "customer": customer,
            "payment_method": card,
            "allowed_payment_method_types": CARDS,
            "description": description,
            "metadata": metadata,
            "expand": WITH_CARD,
        }
        with translated():
            return answers.intent(body_of(client().v1.payment_intents.create(params, write(idempotency_key))))

    def find(self, *, customer: str, metadata: Mapping[str, str], since: datetime) -> Intent | None:
        params: Any = {"customer": customer, "created": _from(since), "limit": 100, "expand": [f"data.{WITH_CARD[0]}"]}
        with translated():
            for each in client().v1.payment_intents.list(params, READ).auto_paging_iter():
                intent = answers.intent(body_of(each))
                if metadata.items() <= (intent.metadata or {}).items():
                    return intent
        return None

    def confirm(self, id: str, *, card: str, return_url: str | None, idempotency_key: str) -> Intent:
        params: Any = {"payment_method": card, "expand": WITH_CARD}
        params |= {"return_url": return_url} if return_url else {"off_session": True}
        with translated():
            try:
                answer = client().v1.payment_intents.confirm(id, params, write(idempotency_key))
            except stripe.CardError:  # an answer: the intent itself says which
                return self.retrieve(id)
        return answers.intent(body_of(answer))

    def retrieve(self, id: str) -> Intent:
        with translated():
            answer = client().v1.payment_intents.retrieve(id, {"expand": WITH_CARD}, READ)
        return answers.intent(body_of(answer))

    def cancel(self, id: str) -> Intent:
        try:
            with translated():
                answer = client().v1.payment_intents.cancel(id, {"expand": WITH_CARD})
        except UnexpectedState:  # it succeeded meanwhile, or was canceled before
            return self.retrieve(id)
        return answers.intent(body_of(answer))

    def refund(self, *, intent: str, money: Money, metadata: Mapping[str, str], idempotency_key: str) -> Refund:
        params: Any = {"payment_intent": intent, "amount": money.minor, "metadata": metadata}
        with translated():
            return answers.refund(body_of(client().v1.refunds.create(params, write(idempotency_key))))

    def retrieve_refund(self, id: str) -> Refund:
        with translated():
            return answers.refund(body_of(client().v1.refunds.retrieve(id, None, READ)))

    def retrieve_dispute(self, id: str) -> Dispute:
        with translated():
            return answers.dispute(body_of(client().v1.disputes.retrieve(id, None, READ)))

    def events(self, since: datetime) -> Iterator[GatewayEvent]:
        events = [event for types in EVENT_TYPES for event in self._events(types, since)]
        yield from sorted(events, key=lambda event: event.created_at)

    def _events(self, types: tuple[str, ...], since: datetime) -> list[GatewayEvent]:
        """Oldest first; Stripe lists the newest first."""
        params: Any = {"types": list(types), "created": _from(since), "limit": 100}
        with translated():
            page = client().v1.events.list(params, READ)
            return [answers.event(body_of(each)) for each in page.auto_paging_iter()][::-1]

    def intents(self, since: datetime) -> Iterator[Intent]:
        params: Any = {"created": _from(since), "limit": 100, "expand": [f"data.{WITH_CARD[0]}"]}
        with translated():
            for each in client().v1.payment_intents.list(params, READ).auto_paging_iter():
                yield answers.intent(body_of(each))

    def refunds(self, since: datetime) -> Iterator[Refund]:
        params: Any = {"created": _from(since), "limit": 100}
        with translated():
            for each in client().v1.refunds.list(params, READ).auto_paging_iter():
                yield answers.refund(body_of(each))

    def disputes(self, since: datetime) -> Iterator[Dispute]:
        params: Any = {"created": _from(since), "limit": 100}
        with translated():
            for each in client().v1.disputes.list(params, READ).auto_paging_iter():
                yield answers.dispute(body_of(each))

    def missing_permissions(self) -> list[str]:
        return permissions.missing()

    def read_webhook(self, body: bytes, signature: str, now: datetime) -> GatewayEvent:
        """Of `POST /webhooks/stripe` and its header `Stripe-Signature`. `InvalidWebhook` is a 400."""
        livemode = settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))
        secrets = settings.STRIPE_WEBHOOK_SECRETS
        return webhooks.read(body, signature, secrets=secrets, livemode=livemode, now=now)


def _from(moment: datetime) -> dict[str, int]:
    return {"gte": int(moment.timestamp())}
