"""Balances that customers bring from another system."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts import events
from accounts.access import OrganizationClosed
from accounts.lib.problems import InvalidField
from accounts.models import Organization
from billing.ledger import posting
from billing.ledger.lots import Lot
from billing.models import LedgerEntry

DESCRIPTION = "Brought forward"


@transaction.atomic
def bring(organization: Organization, amount: Decimal, lot: Lot, *, key: str, now: datetime) -> int:
    """Post credits with the terms of `lot`, or a debt as a negative amount; once for each `key`. Returns the seq."""
    if amount < 0 and lot != Lot():
        raise InvalidField("amount", "A debt has no category, no priority and no expiry.")
    locked = posting.lock([organization.pk], now)[organization.pk]
    if locked.is_closed:
        raise OrganizationClosed
    last_seq = locked.seq
    posted = posting.post(
        organization.pk,
        kind=LedgerEntry.Kind.IMPORT,
        amount=amount,
        now=now,
        lot=lot,
        description=DESCRIPTION,
        idempotency_key=f"import:{key}",
    )
    if posted.seq > last_seq:
        data = {
            "entry": posted.seq,
            "amount": amount,
            "category": lot.category if amount > 0 else None,
            "expires_at": events.plain(lot.expires_at),
        }
        events.record(organization.pk, "credits.imported", data, now, targets=[organization.public_id])
    return posted.seq
