"""The close of a month: from its mark on, usage that occurred before it is late.

A late event is charged as any other, and lands in its own quarter of an hour and month; but what was made of the closed
month before, as an invoice, does not have it.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Greatest
from django.utils import timezone

from billing.ledger import posting
from billing.models import LedgerAccount


@transaction.atomic
def close(account: UUID, through: datetime) -> datetime:
    """Close a payer's usage before `through`; the mark as it stands then, which never goes back.

    It is set under the payer's lock: what was committed before it is in the closed figures, and all that comes after
    it knows that it is late. `ValueError` for a moment that is still to come.
    """
    if through > timezone.now():
        raise ValueError(f"{through} has not passed yet")
    posting.open_accounts([account])
    posting.lock([account])
    mine = LedgerAccount.objects.filter(pk=account)
    mine.update(closed_through=Greatest("closed_through", Value(through)))
    mark = mine.values_list("closed_through", flat=True).get()
    assert mark is not None
    return mark
