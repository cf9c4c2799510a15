"""Buying credits in tests: the steps, and their results."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import time_machine
from django.utils import timezone

from accounts.models import Organization
from billing.models import LedgerEntry, Payment
from billing.payments import gateways, payments, purchases
from billing.payments.gateways import IntentState
from tests import factories


def begin(organization: Organization, amount: Decimal | int | str = 25, **params: Any) -> Payment:
    return purchases.begin(organization, **{"amount": Decimal(amount), "method": None, "by": "test", **params})


def paid(organization: Organization, amount: Decimal | int | str = 25, **params: Any) -> Payment:
    """A payment, taken as far as it goes."""
    return payments.complete(begin(organization, amount, **params).pk)


def charged_with(name: str, organization: Organization) -> Payment:
    """A payment with the named test card, taken as far as it goes."""
    return paid(organization, method=factories.card_on_page(organization, name).public_id)


def later(hours: float = 2) -> Any:
    """Past the sweep's grace, and past the longest wait between two tries."""
    return time_machine.travel(timezone.now() + timedelta(hours=hours))


def sweep() -> int:
    return payments.sweep(timezone.now())


def bought(organization: Organization) -> list[Any]:
    entries = LedgerEntry.objects.of(organization).filter(kind="purchase")
    return list(entries.order_by("seq").values_list("amount", flat=True))


def state_of(payment: Payment) -> IntentState:
    return gateways.named(payment.gateway_name).retrieve(payment.intent).state
