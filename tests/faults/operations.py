"""What the clients do. An operation is a list of requests, each with the effects that it claims to have.

Clients choose the ids and note them before they send anything. An operation is left out if its route answers 404.
"""

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

from tests.faults.cast import TIERED, Cast, Customer
from usage.metering import cloudevents

Answer = dict[str, Any]
PRICE = Decimal("0.001")  # price of the meter `requests`
COUNTED = {"accepted", "duplicate"}
SLICE, EXTENSION = Decimal(1), Decimal("0.5")  # credits of a lease, and of its extension


@dataclass
class Claim:
    """One effect, with the id that makes it idempotent. If `must`, it has to be there once its request is acknowledged.

    With `each_time`, the effect isn't idempotent and may be there as often as the request was sent.
    """

    kind: str
    id: str
    account: UUID
    credits: Decimal = Decimal(0)
    must: bool = False
    must_not: bool = False  # it was refused
    each_time: bool = False
    sent: int = 0
    priced_by_tiers: bool = False  # the cost depends on earlier usage, so `credits` doesn't have it

    @property
    def most(self) -> int:
        return max(self.sent, 1) if self.each_time else 1


@dataclass
class Ticket:
    """A request that is sent unchanged until it is acknowledged."""

    path: str
    secret: str
    body: dict[str, Any] | None = None
    key: str = ""  # the Idempotency-Key
    claims: list[Claim] = field(default_factory=list)
    content_type: str = "application/json"
    may_be_refused: bool = False  # the poor customer may get 402

    def is_acknowledged(self, status: int, answer: Answer) -> bool:
        if "accepted" in answer:
            return status == 200 and all(result["result"] in COUNTED for result in answer["results"])
        return status in (200, 201, 204) and answer.get("status", "") not in ("pending", "failed")

    def is_refused(self, status: int) -> bool:
        return self.may_be_refused and status == 402

    def is_repeated_by(self, first: Answer, again: Answer) -> bool:
        """Whether the response to a repeated request says that nothing happened a second time."""
        return again == first if self.key else not again.get("accepted", 0)


Steps = Generator[Ticket, Answer, None]


def event(cast: Cast, chance: random.Random) -> Steps:
    usage, claim = _event(chance.choice(cast.customers), chance)
    yield Ticket("/v1/usage/events", cast.gateway, usage, claims=[claim])


def batch(cast: Cast, chance: random.Random) -> Steps:
    """Events of several payers. The last event is sent twice."""
    pairs = [_event(chance.choice(cast.customers), chance) for _ in range(chance.randint(2, 40))]
    events = [usage for usage, _ in pairs]
    body = {"events": [*events, events[-1]]}
    yield Ticket("/v1/usage/events", cast.gateway, body, claims=[claim for _, claim in pairs])


def purchase(cast: Cast, chance: random.Random) -> Steps:
    customer, key, amount = chance.choice(cast.customers), _id(chance), Decimal(chance.randint(100, 9999)) / 100
    claim = Claim("purchase", key, customer.account, amount)
    yield Ticket("/v1/credits/purchases", customer.secret, {"amount": str(amount)}, key, [claim])


def look(cast: Cast, chance: random.Random) -> Steps:
    """Rate-limited reads, by address and by key: they get an answer or a clear 503."""
    customer = chance.choice(cast.customers)
    yield Ticket(*chance.choice((("/v1/plans", ""), ("/v1/whoami", customer.limited))))


def hold_and_capture(cast: Cast, chance: random.Random) -> Steps:
    customer, amount = chance.choice(cast.customers), _amount(chance)
    ticket, reference = _hold(customer, amount, chance)
    placed = yield ticket
    captured = amount * chance.choice((Decimal("0.5"), Decimal(1), Decimal("1.5")))
    claim = Claim("capture", reference, customer.account, -captured)
    path = f"/v1/credits/holds/{placed['id']}/capture"
    yield Ticket(path, customer.secret, {"amount": str(captured)}, _id(chance), [claim])


def hold_and_release(cast: Cast, chance: random.Random) -> Steps:
    customer = chance.choice(cast.customers)
    ticket, reference = _hold(customer, _amount(chance), chance)
    placed = yield ticket
    claim = Claim("release", reference, customer.account)
    yield Ticket(f"/v1/credits/holds/{placed['id']}/release", customer.secret, {}, _id(chance), [claim])


def hold_and_event(cast: Cast, chance: random.Random) -> Steps:
    customer = chance.choice(cast.customers)
    ticket, _ = _hold(customer, _amount(chance), chance)
    placed = yield ticket
    usage, claim = _event(customer, chance)
    yield Ticket("/v1/usage/events", cast.gateway, usage | {"hold": placed["id"]}, claims=[claim])


def cloud_event(cast: Cast, chance: random.Random) -> Steps:
    """Sends to either of the two endpoints that take CloudEvents."""
    customer, id, quantity = chance.choice(cast.customers), _id(chance), chance.randint(1, 50)
    body = {"specversion": "1.0", "id": id, "source": "faults", "type": "requests", "subject": customer.organization}
    claim = Claim("event", cloudevents.identity("faults", id), customer.account, -quantity * PRICE)
    path = chance.choice(("/v1/usage/events", "/api/v1/events"))
    kind = "application/cloudevents+json"
    yield Ticket(path, cast.gateway, {**body, "data": {"quantity": quantity}}, claims=[claim], content_type=kind)


def tiered_event(cast: Cast, chance: random.Random) -> Steps:
    """Usage of a meter with tiers. The comparison knows what all of it must cost together."""
    usage, claim = _event(chance.choice(cast.customers), chance)
    claim.priced_by_tiers = True
    yield Ticket("/v1/usage/events", cast.gateway, usage | {"meter": TIERED}, claims=[claim])


def event_and_void(cast: Cast, chance: random.Random) -> Steps:
    customer = chance.choice(cast.customers)
    usage, claim = _event(customer, chance)
    yield Ticket("/v1/usage/events", cast.gateway, usage, claims=[claim])
    void = Claim("void", claim.id, customer.account, -claim.credits)
    body = {"organization": customer.organization, "reason": "Drill"}
    yield Ticket(f"/v1/usage/events/{claim.id}/void", cast.gateway, body, _id(chance), [void])


def grant(cast: Cast, chance: random.Random) -> Steps:
    """Grants. The poor customer sometimes gets one too."""
    customer, id, amount = chance.choice((*cast.customers, cast.poor)), _id(chance), _amount(chance)
    body = {"organization": customer.organization, "amount": str(amount), "description": id}
    claims = [Claim("grant", id, customer.account, amount)]
    yield Ticket("/v1/credits/grants", cast.gateway, body, id, claims)


def poor_hold_and_capture(cast: Cast, chance: random.Random) -> Steps:
    """Holds on an account with too few credits. A key with a small budget places half of them, the platform the others.

    A refused hold leaves nothing behind.
    """
    customer, amount = cast.poor, _amount(chance)
    ticket, reference = _hold(customer, amount, chance)
    ticket.may_be_refused = True
    if chance.random() < 0.5:
        ticket.secret = cast.gateway
        ticket.body = {**(ticket.body or {}), "organization": customer.organization}
    placed = yield ticket
    path = f"/v1/credits/holds/{placed['id']}"
    if chance.random() < 0.5:
        claim = Claim("release", reference, customer.account)
        yield Ticket(f"{path}/release", ticket.secret, {}, _id(chance), [claim])
    else:
        claim = Claim("capture", reference, customer.account, -amount)
        yield Ticket(f"{path}/capture", ticket.secret, {}, _id(chance), [claim])


def lease_and_spend(cast: Cast, chance: random.Random) -> Steps:
    """What a gateway does: leases a slice of credits, sends events that use it, extends it, and returns the rest."""
    customer, reference = chance.choice(cast.customers), _id(chance)
    body = {"organization": customer.organization, "amount": str(SLICE), "ttl_seconds": 600, "reference": reference}
    claims = [Claim("hold", reference, customer.account)]
    lease = yield Ticket("/v1/credits/leases", cast.gateway, body, reference, claims)
    for _ in range(2):
        usage, claim = _event(customer, chance)
        yield Ticket("/v1/usage/events", cast.gateway, usage | {"hold": lease["id"]}, claims=[claim])
    extension = {"amount": str(EXTENSION), "ttl_seconds": 600}
    claims = [Claim("extension", reference, customer.account)]
    yield Ticket(f"/v1/credits/leases/{lease['id']}/extend", cast.gateway, extension, _id(chance), claims)
    claims = [Claim("return", reference, customer.account)]
    yield Ticket(f"/v1/credits/leases/{lease['id']}/return", cast.gateway, {}, _id(chance), claims)


def verify_and_event(cast: Cast, chance: random.Random) -> Steps:
    """Verifies a call with a hold, whose amount no other hold has. Then an event captures the hold.

    Half of the calls have an Idempotency-Key and hold once. The others take the gate's fast path and hold each time
    they are sent. If a response is lost, its hold expires by itself.
    """
    customer, key = chance.choice(cast.customers), chance.choice(("", _id(chance)))
    quantity = 1 + Decimal(next(_NUMBERS)) / 10**6
    body = {"key": customer.secret, "meter": "requests", "quantity": str(quantity), "hold_seconds": 300}
    held = Claim("gate's hold", f"{quantity * PRICE:.9f}", customer.account, each_time=not key)
    verdict = yield Ticket("/v1/keys/verify", cast.gateway, body, key, [held])
    usage, claim = _event(customer, chance)
    captured = Claim("gate's capture", verdict["hold"], customer.account)
    yield Ticket("/v1/usage/events", cast.gateway, usage | {"hold": verdict["hold"]}, claims=[claim, captured])


@dataclass(frozen=True)
class Operation:
    run: Callable[[Cast, random.Random], Steps]
    weight: int
    needs: str  # leave the operation out if this route is missing
    asks: dict[str, Any] | None = None  # a body that the route must accept


OPERATIONS = (
    Operation(event, 6, "/v1/usage/events"),
    Operation(batch, 3, "/v1/usage/events"),
    Operation(purchase, 4, "/v1/credits/purchases"),
    Operation(look, 2, "/v1/plans"),
    Operation(verify_and_event, 3, "/v1/keys/verify", {"key": "sk_live_nobody", "hold_seconds": 60}),
    Operation(hold_and_capture, 3, "/v1/credits/holds"),
    Operation(hold_and_release, 2, "/v1/credits/holds"),
    Operation(hold_and_event, 2, "/v1/credits/holds"),
    Operation(lease_and_spend, 2, "/v1/credits/leases"),
    Operation(cloud_event, 2, "/api/v1/events"),
    Operation(tiered_event, 3, "/v1/usage/events"),
    Operation(event_and_void, 2, "/v1/usage/events"),
    Operation(grant, 1, "/v1/credits/grants"),
    Operation(poor_hold_and_capture, 5, "/v1/credits/holds"),
)


_NUMBERS = count(1)


def _id(chance: random.Random) -> str:
    return f"{chance.getrandbits(80):020x}"


def _amount(chance: random.Random) -> Decimal:
    return Decimal(chance.randint(2, 2000)) / 100


def _event(customer: Customer, chance: random.Random) -> tuple[dict[str, Any], Claim]:
    id, quantity = _id(chance), chance.randint(1, 50)
    owner = chance.choice(({"organization": customer.organization}, {"key_id": customer.key_id}))
    body = {"id": id, "meter": "requests", "endpoint": "/faults", "quantity": quantity, **owner}
    return body, Claim("event", id, customer.account, -quantity * PRICE)


def _hold(customer: Customer, amount: Decimal, chance: random.Random) -> tuple[Ticket, str]:
    reference = _id(chance)
    body = {"amount": str(amount), "ttl_seconds": 3600, "reference": reference}
    claims = [Claim("hold", reference, customer.account)]
    return Ticket("/v1/credits/holds", customer.secret, body, reference, claims), reference
