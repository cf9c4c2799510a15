"""The sweep over accounts of which something fell due. It tidies: whoever posts, asks or reads settles for himself."""

from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q

from billing.ledger import posting
from billing.models import LedgerAccount

BATCH = 1000

log = structlog.get_logger()


def settle_due(now: datetime) -> int:
    """Settle each account of which something was due by `now`, once; how many. One that fails stops no other.

    An account that keeps a lot for a hold stays due until that hold is resolved.
    """
    settled, due = 0, LedgerAccount.objects.filter(due_at__lte=now).order_by("due_at", "pk")
    batch = list(due.values_list("due_at", "pk")[:BATCH])
    while batch:
        settled += sum(_is_settled(account, now) for _, account in batch)
        moment, last = batch[-1]
        after = due.filter(Q(due_at__gt=moment) | Q(due_at=moment, pk__gt=last))
        batch = list(after.values_list("due_at", "pk")[:BATCH])
    return settled


def _is_settled(account: UUID, now: datetime) -> bool:
    try:
        with transaction.atomic():
            posting.lock([account], now)
    except Exception:
        log.exception("account not settled", account=account.hex)
        return False
    return True
