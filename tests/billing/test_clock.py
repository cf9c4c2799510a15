"""A payer's clock, which is moved ahead to try out what time brings."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts import people
from accounts.models import Organization
from billing import clock
from billing.ledger import posting
from billing.models import GatewayCustomer, LedgerAccount, LedgerEntry
from tests import factories

MONTH = timedelta(days=30)


def moved(organization: Organization, ahead: timedelta = MONTH) -> Organization:
    clock.move(organization.root_id, timezone.now() + ahead)
    return Organization.objects.get(pk=organization.pk)


def test_a_payer_follows_the_real_time(organization: Organization) -> None:
    assert abs(clock.now(organization) - timezone.now()) < timedelta(seconds=1)
    assert not clock.is_moved(organization)


def test_a_moved_clock_is_that_of_the_whole_tree_and_of_nobody_else(organization: Organization) -> None:
    child, other = people.add_child(organization, name="Child"), factories.organization()
    moved(organization)
    later = people.add_child(Organization.objects.get(pk=organization.pk), name="Later")
    for node in (organization, child, later):
        node.refresh_from_db()
        assert abs(clock.now(node) - timezone.now() - MONTH) < timedelta(seconds=5)
        assert clock.is_moved(node)
    assert abs(clock.now_of(organization.pk) - clock.now(organization)) < timedelta(seconds=1)
    other.refresh_from_db()
    assert not clock.is_moved(other)


def test_a_clock_is_never_set_back(organization: Organization) -> None:
    before = moved(organization).clock_ahead
    assert moved(organization, MONTH - timedelta(days=1)).clock_ahead == before


def test_money_that_may_be_real_keeps_its_time(organization: Organization, settings: Any) -> None:
    settings.PAYMENT_GATEWAY = "stripe"
    with pytest.raises(clock.ClockNotMovable):
        moved(organization)
    settings.PAYMENT_GATEWAY = "sandbox"
    GatewayCustomer.objects.create(organization=organization, gateway="stripe", customer="cus_1")
    with pytest.raises(clock.ClockNotMovable):
        moved(organization)
    organization.refresh_from_db()
    assert not clock.is_moved(organization)


def test_entries_go_on_from_the_moved_clock(funded: Organization) -> None:
    organization = moved(funded)
    now = clock.now(organization)
    posting.post(funded.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(-1), now=now)
    first, second = LedgerEntry.objects.of(funded).order_by("seq")
    assert second.created_at - first.created_at > MONTH - timedelta(minutes=1)
    assert LedgerAccount.objects.of(funded).get().updated_at == second.created_at
