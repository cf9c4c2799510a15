"""Credits that the company gives without a payment."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts import events
from accounts.access import OrganizationClosed
from accounts.models import Organization
from billing.ledger import posting
from billing.ledger.lots import Lot
from billing.models import Grant, LedgerEntry


@transaction.atomic
def give(
    organization: Organization, amount: Decimal, lot: Lot, *, description: str, actor: str, now: datetime
) -> Grant:
    """Post a grant with the terms of `lot`. In debt, it pays the debt first. A closed payer gets none."""
    if posting.lock([organization.pk], now)[organization.pk].is_closed:
        raise OrganizationClosed
    kind = LedgerEntry.Kind.GRANT
    posted = posting.post(
        organization.pk, kind=kind, amount=amount, now=now, lot=lot, description=description, actor=actor
    )
    grant = Grant.objects.of(organization).get(entry_seq=posted.seq)
    data = {
        "grant": grant.public_id,
        "entry": posted.seq,
        "amount": amount,
        "category": grant.category,
        "expires_at": events.plain(grant.expires_at),
    }
    by, targets = events.platform_actor(actor), [grant.public_id]
    events.record(organization.pk, "credits.granted", data, now, actor=by, targets=targets)
    return grant
