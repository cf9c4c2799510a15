"""A posting with django-hordak, written as in its documentation."""

import random
from collections.abc import Callable
from decimal import Decimal

from django.db import transaction
from hordak.models import Account, Leg, Transaction
from moneyed import Money


def transfer(number: int) -> Callable[[], int]:
    """Debit a random customer and credit revenue: one transaction with two legs."""
    revenue = Account.objects.get(name="Revenue")
    payers = list(Account.objects.exclude(name="Revenue"))
    chance, amount = random.Random(number), Money(Decimal("0.001"), "EUR")  # noqa: S311

    def once() -> int:
        with transaction.atomic():
            posted = Transaction.objects.create(description="Usage")
            Leg.objects.create(transaction=posted, account=chance.choice(payers), debit=amount)
            Leg.objects.create(transaction=posted, account=revenue, credit=amount)
        return 1

    return once
