"""The sweep over accounts in which something is due.

Nothing depends on it, because posting, placing a hold and reading bring the account up to date first.
"""

from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q

from billing.ledger import posting
from billing.models import LedgerAccount

BATCH = 1000

log = structlog.get_logger()


def expire_due(now: datetime) -> int:
    """Bring each account up to date in which something was due by `now`; returns how many. One that fails stops no
    other.

    An account that keeps a lot for a hold stays due until that hold is resolved.
    """
    count, due = 0, LedgerAccount.objects.filter(due_at__lte=now).order_by("due_at", "pk")
    batch = list(due.values_list("due_at", "pk")[:BATCH])
    while batch:
        count += sum(_bring_up_to_date(account, now) for _, account in batch)
        due_at, last = batch[-1]
        rest = due.filter(Q(due_at__gt=due_at) | Q(due_at=due_at, pk__gt=last))
        batch = list(rest.values_list("due_at", "pk")[:BATCH])
    return count


def _bring_up_to_date(account: UUID, now: datetime) -> bool:
    try:
        with transaction.atomic():
            posting.lock([account], now)
    except Exception:
        log.exception("account not brought up to date", account=account.hex)
        return False
    return True
