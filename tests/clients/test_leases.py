"""Leases that gateways spend by themselves: how much at most, and what comes back."""

import time
from contextlib import suppress
from decimal import Decimal
from functools import partial
from itertools import count

import pytest
from django.utils import timezone
from tollgate_client import Client, Lease, OutOfCredits, Spending

from accounts.models import Organization
from billing.ledger import posting
from billing.models import Hold
from tests.clients.flaky import losing, saying
from tests.concurrency import race
from tests.usage.metering.batches import balance


def report(client: Client, customer: Organization, spendings: list[Spending]) -> None:
    fields = {"organization": customer.public_id, "meter": "requests", "quantity": 1000}
    client.send_usage(
        [{"id": f"{id(spending)}-{n}", "hold": spending.hold, **fields} for n, spending in enumerate(spendings)]
    )


def spend_all(lease: Lease) -> list[Spending]:
    """One credit a call, until there is no more."""
    spent = []
    for _ in count():
        try:
            spent.append(lease.spend(Decimal(1)))
        except OutOfCredits:
            return spent
    return spent


def test_a_slice_is_reserved_and_what_is_left_comes_back(client: Client, customer: Organization) -> None:
    lease = Lease(client, customer.public_id, Decimal(10))
    spending = lease.spend(Decimal(1))
    assert posting.available(customer.pk, timezone.now()) == 90
    report(client, customer, [spending])
    lease.close()
    assert posting.available(customer.pk, timezone.now()) == balance(customer) == 99


def test_calls_are_not_asked_about_one_by_one(client: Client, customer: Organization) -> None:
    lease = Lease(client, customer.public_id, Decimal(10))
    lease.spend(Decimal(1))
    client.pool.clear()
    client.url = "http://127.0.0.1:9"  # nobody is there to be asked
    assert [lease.spend(Decimal(1)).hold for _ in range(6)]


def test_what_was_estimated_too_high_can_be_spent_again(client: Client, customer: Organization) -> None:
    lease = Lease(client, customer.public_id, Decimal(100))
    lease.spend(Decimal(60)).settle(Decimal(20))
    lease.spend(Decimal(80))
    with pytest.raises(OutOfCredits):
        lease.spend(Decimal(1))


def test_many_gateways_never_spend_more_than_there_is(client: Client, customer: Organization) -> None:
    leases = [Lease(client, customer.public_id, Decimal(7)) for _ in range(4)]
    runs: list[list[Spending]] = race([partial(spend_all, lease) for lease in leases for _ in range(2)])
    assert sum(len(run) for run in runs) <= 100
    for run in runs:
        report(client, customer, run)
    for lease in leases:
        lease.close()
    assert balance(customer) == 100 - sum(len(run) for run in runs) >= 0
    assert posting.available(customer.pk, timezone.now()) == balance(customer)


def test_one_gateway_can_spend_all_there_is(client: Client, customer: Organization) -> None:
    lease = Lease(client, customer.public_id, Decimal(30))
    assert len(spend_all(lease)) >= 90


def test_what_was_granted_is_spent_while_tollgate_hangs(
    client: Client, platform_secret: str, customer: Organization
) -> None:
    lease = Lease(client, customer.public_id, Decimal(10))
    lease.spend(Decimal(6))
    with saying(b"") as silence:
        client.url = silence
        start = time.monotonic()
        for _ in range(4):
            lease.spend(Decimal(1))
    assert time.monotonic() - start < 1


def test_a_lost_answer_to_an_extension_reserves_it_once(
    address: str, platform_secret: str, customer: Organization
) -> None:
    lossless = Client(address, platform_secret)
    lease = Lease(lossless, customer.public_id, Decimal(10))
    lease.spend(Decimal(9))
    with losing(address, answers=2) as lossy:
        lease.client = Client(lossy, platform_secret, retries=0)
        for _ in range(3):
            with suppress(OutOfCredits):
                lease.spend(Decimal(5))
            lease._quiet_until = 0
    assert Hold.objects.of(customer).get().amount == 19


def test_no_more_than_a_slice_lies_idle_beside_what_calls_in_flight_gave_back(
    client: Client, customer: Organization
) -> None:
    lease = Lease(client, customer.public_id, Decimal(10))
    for _ in range(20):
        lease.spend(Decimal("7.5")).settle(Decimal("0.01"))
    wait_until_asked(lease)
    assert posting.available(customer.pk, timezone.now()) >= 100 - 10 - Decimal("7.5")


def wait_until_asked(lease: Lease) -> None:
    with lease._asking:
        pass


def test_what_came_to_its_end_already_is_closed_all_the_same(client: Client, customer: Organization) -> None:
    lease = Lease(client, customer.public_id, Decimal(10))
    client.return_lease(lease.spend(Decimal(1)).hold)
    lease.close()
    assert posting.available(customer.pk, timezone.now()) == 100
