"""The steps of a payment through one gateway, with a person who uses its pages."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from billing.payments.gateways import (
    SESSION_ID,
    Card,
    CustomerDetails,
    Gateway,
    Intent,
    Refund,
    Session,
    Setup,
    Subject,
)
from billing.payments.minor_units import Money
from tests.billing.payments.gateways.people import Person

FIVE_DOLLARS = Money(500, "USD")
RETURN_URL = "https://tollgate.example/back"


@dataclass
class World:
    gateway: Gateway
    person: Person
    began: datetime

    def customer(self) -> str:
        key = uuid4().hex
        details = CustomerDetails(f"cus_{key}", "Acme Inc.", "billing@example.com", "US", line1="1 Main St")
        return self.gateway.customer(details, idempotency_key=f"customer:{key}")

    def card(self, name: str = "pm_card_visa", customer: str = "") -> Card:
        session = self.setup_session(customer or self.customer())
        self.person.complete(session.url, name)
        card = self.gateway.session(session.id).card
        assert card
        return card

    def setup_session(self, customer: str) -> Session:
        return self.gateway.setup_session(
            customer=customer,
            success_url=f"{RETURN_URL}?session={SESSION_ID}",
            cancel_url=RETURN_URL,
            metadata={"account": "cus_1"},
            idempotency_key=f"setup:{uuid4().hex}",
        )

    def checkout_session(self, customer: str, payment: str) -> Session:
        return self.gateway.checkout_session(
            customer=customer,
            money=FIVE_DOLLARS,
            description="5 credits",
            success_url=f"{RETURN_URL}?session={SESSION_ID}",
            cancel_url=RETURN_URL,
            expires_at=self.began + timedelta(hours=1),  # the same again, as its idempotency key is
            metadata={"payment": payment},
            idempotency_key=f"{payment}:create",
        )

    def save(self, name: str, customer: str) -> Setup:
        return self.gateway.save_card(
            customer=customer,
            token=name,
            return_url=RETURN_URL,
            metadata={"account": "cus_1"},
            idempotency_key=uuid4().hex,
        )

    def create(self, card: Card, *, payment: str = "", money: Money = FIVE_DOLLARS) -> Intent:
        payment = payment or f"pay_{uuid4().hex}"
        return self.gateway.create(
            customer=card.customer,
            card=card.token,
            money=money,
            description="Credits",
            metadata={"payment": payment},
            idempotency_key=f"{payment}:create",
        )

    def confirm(self, intent: Intent, *, return_url: str | None = None, number: int = 1) -> Intent:
        assert intent.card
        key = f"{(intent.metadata or {})['payment']}:confirm:{number}"
        return self.gateway.confirm(intent.id, card=intent.card.token, return_url=return_url, idempotency_key=key)

    def paid(self, name: str = "pm_card_visa") -> Intent:
        return self.confirm(self.create(self.card(name)))

    def refund(self, intent: Intent, minor: int, key: str = "") -> Refund:
        return self.gateway.refund(
            intent=intent.id,
            money=Money(minor, "USD"),
            metadata={"refund": "re_1"},
            idempotency_key=key or uuid4().hex,
        )

    def event_types(self, subject: Subject, id: str) -> list[str]:
        events = self.gateway.events(self.began)
        return [event.type for event in events if event.subject == subject and event.object_id == id]
