"""Two requests of one person at once stay within the limit together, and one request is decided once."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from threading import Barrier, Thread
from typing import Any
from unittest.mock import patch

import pytest
from django.utils import timezone

from accounts.lib.identifiers import uuid7
from accounts.models import Organization, User
from billing.change_requests import ACTIONS, deciding
from billing.change_requests.preview import rehearse
from billing.change_requests.prices import ChangePrice
from billing.ledger import corrections
from billing.models import ChangeRequest, LedgerAccount, LedgerEntry, Meter, Price
from tests import factories
from tests.billing.admin.desk import REASON, staff
from tests.concurrency import race, wait_until_blocking

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def customer(committed: None) -> Organization:
    organization = factories.organization(owner=factories.user("owner"))
    factories.credit(organization, 100)
    return organization


PARAMS = {"amount": 60, "expires_at": None}


def token(by: User, customer: Organization) -> str:
    action = ACTIONS["adjust"]
    row, actor = action.load(customer.public_id), deciding.actor_of(by)
    return rehearse(action, row, PARAMS, reason=REASON, actor=actor, now=timezone.now()).token


def ask(by: User, customer: Organization, seen: str) -> ChangeRequest:
    proposal = deciding.Proposal("adjust", customer.public_id, PARAMS, REASON, by)
    return deciding.ask(proposal, id=uuid7(), seen=seen, now=timezone.now())


def states(by: User) -> list[str]:
    return sorted(ChangeRequest.objects.filter(requested_by=by).values_list("state", flat=True))


def race_two(by: User) -> list[str]:
    """Two requests at once, for two customers, so that no payer's lock keeps them apart."""
    customers = [factories.organization(owner=factories.user("owner")) for _ in range(2)]
    tokens = [token(by, customer) for customer in customers]
    race([partial(ask, by, *pair) for pair in zip(customers, tokens, strict=True)])
    return states(by)


def test_two_requests_at_once_are_not_both_within_the_limit() -> None:
    assert race_two(staff()) == ["done", "waiting"]


@pytest.fixture
def _without_the_lock() -> Iterator[None]:
    """Both read the earlier requests before either is stored."""
    barrier, sum_up = Barrier(2), deciding._needs_approval

    def wait(*args: object) -> bool:
        needed = sum_up(*args)  # type: ignore[arg-type]
        barrier.wait(timeout=10)
        return needed

    with (
        patch.object(deciding, "_needs_approval", wait),
        patch.object(User.objects, "select_for_update", lambda **options: User.objects.all()),
    ):
        yield


@pytest.mark.usefixtures("_without_the_lock")
def test_without_the_lock_both_would_be() -> None:
    assert race_two(staff()) == ["done", "done"]


def test_a_request_is_decided_once_by_however_many(customer: Organization, settings: Any) -> None:
    settings.OPERATOR_APPROVAL_LIMIT = Decimal(0)
    by, now = staff(), timezone.now()
    request = ask(by, customer, token(by, customer))
    seen = deciding.look(request, now).token
    approve = partial(deciding.approve, request.pk, seen=seen, now=now)
    decline = partial(deciding.decline, request.pk, by=staff(), now=now)
    outcomes = race([decline, *(partial(approve, by=staff()) for _ in range(3))])
    assert sum(isinstance(outcome, ChangeRequest) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, deciding.AlreadyDecided) for outcome in outcomes) == 3
    request.refresh_from_db()
    assert LedgerAccount.objects.get(pk=customer.pk).balance == (160 if request.state == "done" else 100)


def test_nothing_comes_between_the_preview_and_what_is_done(customer: Organization) -> None:
    """Another posting waits from the preview on, until the request is decided."""
    by, check = staff(), deciding._check
    terms: dict[str, Any] = {"amount": Decimal(-90), "reason": REASON, "actor": "", "now": timezone.now()}
    posting = Thread(target=partial(race, [partial(corrections.adjust, customer.pk, **terms)]))

    def meanwhile(*args: Any) -> None:
        check(*args)
        posting.start()
        wait_until_blocking()

    with patch.object(deciding, "_check", meanwhile):
        request = ask(by, customer, token(by, customer))
    posting.join()
    amounts: list[Any] = list(LedgerEntry.objects.of(customer).order_by("seq").values_list("amount", flat=True))
    assert (request.state, amounts) == ("done", [100, 60, -90])


@pytest.fixture
def meter(committed: None) -> Iterator[Meter]:
    meter = Meter.objects.create(slug=factories.unique("meter"), name="Messages", unit="message")
    Price.objects.create(meter=meter, unit_amount=Decimal(1))
    yield meter
    meter.delete()


def two_prices(meter: Meter) -> list[Callable[[], ChangeRequest]]:
    """The approvals of two prices of one meter, each by somebody who sees the price of before."""
    by, now, requests = staff(), timezone.now(), []
    for amount in (2, 3):
        params: dict[str, Any] = {"endpoint": "", "unit_amount": amount, "tiers": []}
        proposal = deciding.Proposal("price", meter.slug, params, REASON, by)
        seen = deciding.preview(proposal, now)[0].token
        requests.append(deciding.ask(proposal, id=uuid7(), seen=seen, now=now))
    seen_now = [deciding.look(ChangeRequest.objects.get(pk=row.pk), now).token for row in requests]
    pairs = zip(requests, seen_now, strict=True)
    return [partial(deciding.approve, row.pk, seen=seen, by=staff(), now=now) for row, seen in pairs]


def test_of_two_prices_that_are_approved_at_once_one_is_stale(meter: Meter) -> None:
    done, refused = sorted(race(two_prices(meter)), key=lambda outcome: isinstance(outcome, Exception))
    assert isinstance(refused, deciding.StalePreview)
    assert Price.objects.get(meter=meter).unit_amount == done.params["unit_amount"]


def test_without_the_lock_one_would_overwrite_the_other(meter: Meter) -> None:
    barrier, check, approvals = Barrier(2), deciding._check, two_prices(meter)

    def wait(*args: Any) -> None:
        check(*args)
        barrier.wait(timeout=10)

    with patch.object(deciding, "_check", wait), patch.object(ChangePrice, "lock", lambda *args: None):
        assert all(isinstance(outcome, ChangeRequest) for outcome in race(approvals))
