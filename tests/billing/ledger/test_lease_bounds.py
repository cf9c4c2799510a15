"""What leases cost at worst: how far an account can be overspent, and how much is stranded, and for how long."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Organization
from billing.ledger import posting
from billing.models import LedgerAccount
from tests import factories
from tests.billing.api.reservations import act, take
from tests.concurrency import race
from tests.conftest import Api
from usage.storage import reconciliation

NODES = 5
CREDITS = 10
SLICE = 1
ESTIMATE = Decimal("0.1")


class Node:
    """A gateway's process: it counts its slice down on its own, and reports usage before it asks for another."""

    def __init__(self, gateway: Api, organization: Organization, cost: Decimal = ESTIMATE) -> None:
        self.gateway, self.organization, self.cost = gateway, organization, cost
        self.lease: Any = None
        self.left = Decimal(0)
        self.spool: list[dict[str, Any]] = []
        self.served = 0

    def take(self, amount: object = SLICE) -> bool:
        answer = take(self.gateway, self.organization, amount, minimum=str(ESTIMATE), reference="node")
        assert answer.status_code in (201, 402)
        if answer.status_code == 201:
            self.lease = answer.json()
            self.left = Decimal(str(self.lease["amount"]))
        return bool(answer.status_code == 201)

    def serve(self) -> bool:
        """One call, if the slice has room for what it is expected to cost."""
        if self.left < ESTIMATE:
            return False
        self.left -= self.cost
        self.served += 1
        event = {"id": factories.unique("call"), "organization": self.organization.public_id, "meter": "sms"}
        self.spool.append({**event, "quantity": str(self.cost * 100), "hold": self.lease["id"]})
        return True

    def report(self) -> None:
        if self.spool:
            answer = self.gateway.post("/v1/usage/events", {"events": self.spool}).json()
            assert answer["rejected"] == 0
        self.spool = []

    def work(self) -> int:
        """Serve calls until no more credits are to be had."""
        while self.take():
            while self.serve():
                pass
            self.report()
            act(self.gateway, self.lease, "return")
        return self.served


@pytest.fixture
def organization(committed: None) -> Organization:
    organization = factories.organization()
    factories.credit(organization, CREDITS)
    return organization


@pytest.fixture
def gateway(committed: None) -> Api:
    return Api(factories.platform_key())


@pytest.fixture(autouse=True)
def _books_agree(organization: Organization) -> Iterator[None]:
    yield
    assert not [finding for finding in reconciliation.run() if finding.organization == organization.public_id]


def nodes(organization: Organization, cost: Decimal = ESTIMATE, count: int = NODES) -> list[Node]:
    secret = factories.platform_key()
    return [Node(Api(secret), organization, cost) for _ in range(count)]


def balance(organization: Organization) -> Decimal:
    mine = posting.current(organization.pk, timezone.now()) or LedgerAccount()
    balance: Decimal = mine.balance
    return balance


def test_nodes_that_lease_spend_what_there_is_and_no_more(organization: Organization) -> None:
    served = race([node.work for node in nodes(organization)])
    assert sum(served) == CREDITS / ESTIMATE
    assert balance(organization) == 0


def test_nodes_that_only_look_at_the_balance_overspend(organization: Organization) -> None:
    """The control: each believes in the same credits."""
    every = nodes(organization)

    def work(node: Node) -> None:
        node.lease, node.left = {"id": None}, seen[node]
        while node.serve():
            pass
        node.report()

    seen = {node: posting.available(organization.pk, timezone.now()) for node in every}
    race([partial(work, node) for node in every])
    assert balance(organization) == CREDITS - NODES * CREDITS


def test_calls_that_cost_more_than_was_expected_overspend_by_that_alone(organization: Organization) -> None:
    """A node has one call in flight, so only its last call may exceed the slice, by its cost beyond the estimate."""
    cost = Decimal("0.17")
    served = race([node.work for node in nodes(organization, cost)])
    assert balance(organization) == CREDITS - sum(served) * cost
    assert -NODES * (cost - ESTIMATE) <= balance(organization) < ESTIMATE


def test_calls_that_cost_less_strand_nothing(organization: Organization) -> None:
    served = race([node.work for node in nodes(organization, Decimal("0.07"))])
    assert 0 <= balance(organization) < ESTIMATE
    assert balance(organization) == CREDITS - sum(served) * Decimal("0.07")
    assert posting.available(organization.pk, timezone.now()) == balance(organization)


def dies(node: Node, amount: int, reported: int, unreported: int) -> None:
    """A node that reports calls, serves some more, and is heard of no more."""
    assert node.take(amount)
    for _ in range(reported):
        assert node.serve()
    node.report()
    for _ in range(unreported):
        assert node.serve()


def test_nodes_that_die_strand_their_slices_until_the_grace_is_over(organization: Organization) -> None:
    start = timezone.now()
    for node in nodes(organization, count=3):
        dies(node, 2, reported=0, unreported=0)
    (other,) = nodes(organization, count=1)
    expires = max(start, timezone.now()) + timedelta(seconds=120)
    for moment, available in ((start, 4), (start + timedelta(seconds=119), 4), (expires, 10)):
        with time_machine.travel(moment):
            assert posting.available(organization.pk, timezone.now()) == available
    with time_machine.travel(expires):
        assert other.take(10)
        assert other.left == CREDITS


def test_what_a_node_reported_is_not_stranded(organization: Organization) -> None:
    (node,) = nodes(organization, count=1)
    dies(node, 4, reported=10, unreported=20)
    assert balance(organization) == 9
    assert posting.available(organization.pk, timezone.now()) == 6


def test_a_spool_that_comes_back_within_the_grace_is_covered(organization: Organization) -> None:
    node, other = nodes(organization, count=2)
    dies(node, 4, reported=10, unreported=20)
    assert other.take(CREDITS)
    assert other.left == 6
    while other.serve():
        pass
    other.report()
    with time_machine.travel(timezone.now() + timedelta(seconds=110)):
        node.report()
        assert balance(organization) == CREDITS - 6 - 3


def test_a_spool_that_comes_back_later_is_settled_all_the_same(organization: Organization) -> None:
    """The account is overspent by the part of the slice that was not reported in time, and nothing is lost."""
    node, other = nodes(organization, count=2)
    dies(node, 4, reported=10, unreported=20)
    with time_machine.travel(timezone.now() + timedelta(seconds=121)):
        assert other.take(CREDITS)
        assert other.left == 9
        while other.serve():
            pass
        other.report()
        assert balance(organization) == 0
        node.report()
        assert balance(organization) == -2
        shown = node.gateway.get(f"/v1/credits/leases/{node.lease['id']}").json()
        assert (shown["status"], shown["captured"]) == ("expired", 1)  # what came later is plain usage


def test_a_spool_that_is_sent_twice_counts_once(organization: Organization) -> None:
    (node,) = nodes(organization, count=1)
    dies(node, 4, reported=0, unreported=20)
    spool = list(node.spool)
    node.report()
    node.spool = spool
    node.report()
    assert balance(organization) == 8
