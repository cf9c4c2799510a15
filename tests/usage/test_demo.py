"""The demo of `make run`: a living product whose books agree."""

from collections import Counter
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Membership, Organization, User
from apikeys.models import ApiKey
from billing.models import Grant, Hold, Invoice, Payment
from usage import demo
from usage.models import MonthClose, UsageEvent
from usage.reporting import overview
from usage.storage import reconciliation


@pytest.fixture
def payer(db: None) -> Organization:
    made = demo.make(timezone.now())
    assert made is not None
    return Organization.objects.get(public_id=made.organization)


def test_it_is_a_company_with_two_months_behind_it_and_its_books_agree(payer: Organization) -> None:
    assert not reconciliation.run()
    assert Organization.objects.within(payer).count() == 5
    assert Membership.objects.filter(organization__root=payer).count() == 5
    assert Counter(key.status(timezone.now()) for key in ApiKey.objects.within(payer)) == {
        "active": 7,
        "disabled": 1,
        "revoked": 1,
    }
    assert Payment.objects.of(payer).filter(status="failed").exists()
    assert Invoice.objects.of(payer).filter(kind="invoice").count() >= 2
    assert Grant.objects.of(payer).filter(remaining__gt=0).count() >= 2
    assert Hold.objects.within(payer).count() == 2
    assert MonthClose.objects.done().filter(account=payer.pk).count() == 1
    assert UsageEvent.objects.within(payer).count() > 1000
    seen = overview.month(payer, "UTC", timezone.now())
    assert seen.before.requests > 0
    assert payer.clock_ahead is None
    assert demo.make(timezone.now()) is None  # there are people already


@pytest.mark.parametrize("gateway", ["stripe", ""])
def test_no_demo_is_paid_at_another_gateway(db: None, settings: Any, gateway: str) -> None:
    settings.PAYMENT_GATEWAY = gateway
    assert demo.make(timezone.now()) is None
    assert not User.objects.exists()
