"""kill -9 between every two steps of a payment: whoever continues it charges once and credits once.

A child process does the work until the step at which it kills itself. `make faults` does the same to whole servers.
"""

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.utils import timezone

from accounts.models import Organization, User
from billing.models import Payment
from billing.payments import payments, recharge, settling
from billing.payments.gateways.stripe import StripeGateway
from tests import factories
from tests.billing.payments import conservation
from tests.billing.payments.buying import bought
from tests.billing.payments.recharging import switch_on
from tests.stripe.process import StandIn

# Where it dies: the step that was the last to have an effect, and around which call that is.
POINTS: dict[str, tuple[Any, str, bool]] = {
    "the row is committed": (StripeGateway, "create", False),
    "the intent is made": (StripeGateway, "create", True),
    "its id is stored": (StripeGateway, "confirm", False),
    "the card is charged": (StripeGateway, "confirm", True),
    "the entry is not committed": (settling, "_close", True),
}
FEW = ["its id is stored", "the card is charged"]  # of a recharge; PAYMENT_FAULTS=all dies at each


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(point: str, work: Callable[[], Any]) -> None:
    """Do the work in a child process, which dies at that point."""
    connections.close_all()  # a child that shared the connection would end it for both
    child = os.fork()
    if child == 0:
        try:
            target, name, is_after = POINTS[point]
            step = getattr(target, name)

            def dying(*args: Any, **options: Any) -> Any:
                if is_after:
                    step(*args, **options)
                die()

            setattr(target, name, dying)
            work()
        finally:
            os._exit(1)  # it came to the end, or failed
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"it was not killed at {point}"


@pytest.fixture
def owner(committed: None, stand_in: StandIn) -> User:
    """Of an organization with a card at the stand-in."""
    owner = factories.user("killed")
    assert owner.current_organization
    factories.card(owner.current_organization)
    return owner


def check(stand_in: StandIn, organization: Organization, amount: int) -> None:
    assert (stand_in.moved(), bought(organization)) == (100 * amount, [amount])
    assert Payment.objects.of(organization).count() == 1
    assert conservation.differences(stand_in, organization) == []


@pytest.mark.parametrize("point", POINTS)
def test_a_request_that_is_killed_is_sent_again(owner: User, api: Any, stand_in: StandIn, point: str) -> None:
    client, key = api(owner), uuid4().hex

    def buy() -> Any:
        return client.post("/v1/credits/purchases", {"amount": 25}, idempotency_key=key)

    killed_at(point, buy)
    answer = buy()
    assert (answer.status_code, answer.json()["status"]) == (201, "succeeded")
    assert owner.current_organization
    check(stand_in, owner.current_organization, 25)


@pytest.mark.parametrize("point", POINTS if "PAYMENT_FAULTS" in os.environ else FEW)
def test_a_recharge_whose_worker_is_killed_is_one_charge(owner: User, stand_in: StandIn, point: str) -> None:
    organization = owner.current_organization
    assert organization
    switch_on(organization)
    killed_at(point, lambda: recharge.run(organization, timezone.now()))
    assert recharge.run(organization, timezone.now()) is None
    payments.sweep(timezone.now() + timedelta(hours=2))
    check(stand_in, organization, 50)


def test_a_child_that_is_not_killed_is_noticed(owner: User) -> None:
    """The control: the work never comes to the point."""
    with pytest.raises(AssertionError, match="not killed"):
        killed_at("the card is charged", lambda: None)
