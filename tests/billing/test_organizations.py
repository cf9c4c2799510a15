"""Moves and changes of time zone, as the payer's ledger sees them."""

import base64
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from threading import Event
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from time_machine import travel

from accounts import people
from accounts.lib.problems import Conflict
from accounts.models import Organization, User
from billing import organizations
from billing.ledger import budgets, corrections, holds, posting
from billing.models import LedgerAccount, LedgerEntry, Move, Price, PriceTier, Spending
from tests import factories
from tests.concurrency import race
from tests.properties import EXHAUSTIVE
from tests.usage.metering.batches import event, record
from usage.metering import voids
from usage.models import Volume
from usage.storage import partitions, rebuild

HOUR = timedelta(hours=1)


def use(organization: Organization, credits: int, id: str = "x") -> None:
    """A thousand requests cost a credit."""
    [result] = record(event(organization, id=id, quantity=credits * 1000))
    assert result.result == "accepted"


def void(organization: Organization, id: str = "x") -> None:
    voids.void(organization, id, reason="Test", actor="", now=timezone.now())


def capture(organization: Organization, credits: int) -> LedgerEntry:
    holds.capture(holds.place(organization, amount=Decimal(credits), ttl=HOUR, now=timezone.now()), now=timezone.now())
    return LedgerEntry.objects.filter(account_id=organization.root_id, kind=LedgerEntry.Kind.CAPTURE).latest("seq")


def spent(payer: Organization) -> set[Decimal]:
    return set(Spending.objects.filter(account_id=payer.pk).values_list("spent", flat=True))


# Moves


@pytest.fixture
def node(funded: Organization) -> dict[str, Organization]:
    """a1 is beneath a, and b beside it."""
    a, b = (people.add_child(funded, name=name) for name in "ab")
    return {"a": a, "b": budgets.limit(b, Decimal(5), now=timezone.now()), "a1": people.add_child(a, name="a1")}


def test_a_void_after_a_move_makes_no_room_where_nothing_was_counted(node: dict[str, Organization]) -> None:
    use(node["b"], 5)
    use(node["a1"], 3)
    factories.move(node["a1"], node["b"])
    void(node["a1"])
    assert budgets.of(node["b"], timezone.now()).left == 0
    assert budgets.of(node["a"], timezone.now()).spent == budgets.of(node["a1"], timezone.now()).spent == 0


def test_what_is_counted_after_a_move_is_given_back_by_the_new_place(node: dict[str, Organization]) -> None:
    factories.move(node["a1"], node["b"])
    use(node["a1"], 3)
    void(node["a1"])
    assert budgets.of(node["b"], timezone.now()).left == 5
    assert budgets.of(node["a"], timezone.now()).spent == 0


def test_a_budget_of_the_old_place_recovers(node: dict[str, Organization], funded: Organization) -> None:
    budgets.limit(node["a"], Decimal(3), now=timezone.now())
    use(node["a1"], 3)
    factories.move(node["a1"], node["b"])
    void(node["a1"])
    rows = Spending.objects.filter(account_id=funded.pk, subject=node["a"].pk)
    assert [(row.spent, row.alerted) for row in rows] == [(0, 0)]


def test_a_move_to_where_it_was_or_that_is_refused_is_noted_or_not(node: dict[str, Organization]) -> None:
    factories.move(node["a1"], node["b"])
    with pytest.raises(Conflict):
        factories.move(node["b"], node["a1"])
    [move] = Move.objects.of(node["b"].root)
    a, b, a1 = (node[name].pk for name in ("a", "b", "a1"))
    assert (move.organization_id, move.path_before[1:], move.path_after[1:]) == (a1, [a, a1], [b, a1])


@pytest.mark.parametrize("seed", range(20 if EXHAUSTIVE else 6))
def test_whatever_was_moved_all_that_is_taken_back_leaves_nothing_spent(funded: Organization, seed: int) -> None:
    """Usage and captures, each at some place in a tree that keeps changing, and taken back in any order."""
    chance, counted = Random(seed), list[Any]()
    tree = [funded] + [people.add_child(funded, name=str(n)) for n in range(5)]
    for n in range(25):
        node, target = (Organization.objects.get(pk=node.pk) for node in chance.sample(tree, 2))
        match chance.choice(["move", "use", "capture"]):
            case "move":
                try:
                    factories.move(node, target)
                except Conflict:
                    continue
            case "use":
                use(node, 1, f"e{n}")
                counted.append(partial(void, node, f"e{n}"))
            case "capture":
                counted.append(
                    partial(corrections.reverse, capture(node, 1), reason="Test", actor="", now=timezone.now())
                )
    assert spent(funded) - {0}
    for take_back in chance.sample(counted, len(counted)):
        take_back()
    assert spent(funded) == {0}


def moved_during_a_batch() -> Decimal:
    """What a's spending is after a void, where the event came while a1 was about to be moved away from a."""
    root = factories.organization()
    a, b = (people.add_child(root, name=name) for name in "ab")
    a1, counted = people.add_child(a, name="a1"), Event()
    factories.credit(root, 100)

    def batch() -> None:
        with transaction.atomic():
            use(a1, 3)
            counted.set()
            time.sleep(0.3)

    def move() -> None:
        counted.wait(timeout=30)
        factories.move(a1, b)

    assert race([batch, move]) == [None, None]
    void(Organization.objects.get(pk=a1.pk))
    in_a = budgets.of(a, timezone.now()).spent
    rebuild.rebuild([root.pk])  # what is committed stays, and other tests prove all books
    return in_a


def test_a_move_waits_for_the_batch_that_counts_in_the_old_place(committed: None) -> None:
    assert moved_during_a_batch() == 0


def test_without_the_lock_the_void_would_miss_the_old_place(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above."""
    monkeypatch.setattr(posting, "LOCK", posting.LOCK.replace("FOR NO KEY UPDATE", ""))
    assert moved_during_a_batch() == 3


# Time zones


def zones(organization: Organization) -> Any:
    return [name for name, _ in LedgerAccount.objects.get(pk=organization.pk).zones]


def test_the_api_tells_the_ledger_of_a_new_time_zone(api: Any, alice: User, organization: Organization) -> None:
    path = f"/v1/organizations/{organization.public_id}"
    answer = api(alice).patch(path, {"timezone": "Asia/Kathmandu", "name": "Everest"})
    assert (answer.json()["timezone"], answer.json()["name"]) == ("Asia/Kathmandu", "Everest")
    assert api(alice).get(path).json() == answer.json()
    assert zones(organization) == ["UTC", "Asia/Kathmandu"]


def test_plivos_api_does_too(anonymous: Any, alice: User, organization: Organization) -> None:
    factories.billing_account(organization)
    _, secret = factories.key(organization, created_by=alice, permissions=["account:write"])
    basic = base64.b64encode(f"{organization.auth_id}:{secret}".encode()).decode()
    path = f"/v1/Account/{organization.auth_id}/"
    answer = anonymous.post(path, {"timezone": "Asia/Kathmandu"}, authorization=f"Basic {basic}")
    assert answer.status_code == 202
    assert zones(organization) == ["UTC", "Asia/Kathmandu"]


def test_and_the_admin(admin_client: Any, funded: Organization) -> None:
    page = reverse("admin:accounts_organization_change", args=[funded.pk])
    form = admin_client.get(page).context["adminform"].form
    values = {name: form[name].value() or "" for name in form.fields}
    inline = {f"memberships-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    answer = admin_client.post(page, {**values, **inline, "timezone": "Asia/Kathmandu", "monthly_budget": "7"})
    assert answer.status_code == 302, answer.context["errors"]
    assert zones(funded) == ["UTC", "Asia/Kathmandu"]
    assert Organization.objects.get(pk=funded.pk).monthly_budget == 7


def test_whoever_may_not_change_it_changes_nothing(api: Any, bob: User, funded: Organization) -> None:
    answer = api(bob).patch(f"/v1/organizations/{funded.public_id}", {"timezone": "Asia/Kathmandu"})
    assert answer.status_code == 403
    assert LedgerAccount.objects.get(pk=funded.pk).zones == []


@pytest.fixture
def october(organization: Organization) -> Any:
    """The middle of a month to come, and a hundred credits."""
    with travel("2036-10-15T12:00:00Z", tick=False):
        factories.credit(organization, 100)
        yield organization


def test_what_was_spent_before_a_change_is_given_back_in_its_month(october: Organization) -> None:
    """An hour before the month ends in UTC, and months after where the payer's clocks are now."""
    with travel("2036-10-31T23:30:00Z", tick=False):
        entry = capture(october, 5)
        organizations.change_timezone(october, "Asia/Kathmandu", now=timezone.now())
        assert budgets.of(october, timezone.now()).spent == 5
        corrections.reverse(entry, reason="Test", actor="", now=timezone.now())
        assert budgets.of(october, timezone.now()).spent == 0
    assert [(row.month, row.spent) for row in Spending.objects.of(october)] == [(date(2036, 10, 1), 0)]


def test_a_budget_starts_anew_once_at_the_turn_of_the_month(october: Organization) -> None:
    budgets.limit(october, Decimal(10), now=timezone.now())
    organizations.change_timezone(october, "Pacific/Honolulu", now=timezone.now())
    left = []
    for moment in ("2036-10-31T23:00:00Z", "2036-11-01T09:00:00Z", "2036-11-01T10:00:00Z", "2036-12-01T09:00:00Z"):
        with travel(moment, tick=False):
            capture(october, 2)
            left.append(budgets.of(october, timezone.now()).left)
    assert left == [8, 6, 8, 6]


def test_a_void_after_a_change_comes_off_the_month_in_which_the_event_was_counted(october: Organization) -> None:
    """The last hours of October in UTC are in November by the new clocks. Tiers count on as if the event never was."""
    partitions.ensure(datetime.now(UTC))
    Price.objects.filter(meter__slug="sms").update(unit_amount=2)
    PriceTier.objects.create(price=Price.objects.get(meter__slug="sms"), up_to=10, unit_amount=1)
    with travel("2036-10-31T22:00:00Z", tick=False):
        record(event(october, meter="sms", id="x", quantity=10))
        organizations.change_timezone(october, "Asia/Kathmandu", now=timezone.now())
        void(october)
        [result] = record(event(october, meter="sms", quantity=10))
    assert result.credits == 10
    months = dict(Volume.objects.filter(account_id=october.pk).values_list("month", "quantity"))
    assert months == {date(2036, 10, 1): 10}
    assert [(row.month, row.spent) for row in Spending.objects.of(october)] == [(date(2036, 10, 1), 10)]
