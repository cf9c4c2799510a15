"""The close of a month: usage that occurred before the mark and arrives after it was set is late.

Late usage is charged like any other, and lands in its own quarter of an hour and month. What was made of the closed
month before, such as an invoice, doesn't have it.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Greatest
from django.utils import timezone

from billing.ledger import balances, posting
from billing.models import LedgerAccount


@transaction.atomic
def close(account: UUID, through: datetime) -> datetime:
    """Close a payer's usage before `through`; returns the mark, which never goes back.

    It is set under the payer's lock: what was committed before is in the closed figures, and what comes after knows
    that it is late. `ValueError` for a moment in the future.
    """
    if through > timezone.now():
        raise ValueError(f"{through} has not passed yet")
    balances.open_accounts([account])
    posting.lock([account])
    accounts = LedgerAccount.objects.filter(pk=account)
    accounts.update(closed_through=Greatest("closed_through", Value(through)))
    mark = accounts.values_list("closed_through", flat=True).get()
    assert mark is not None
    return mark
