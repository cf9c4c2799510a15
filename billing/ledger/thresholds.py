"""What an account is told its bounds are: below which balance it is low, and how far it may go into debt."""

from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import events
from accounts.models import Organization
from billing.ledger import alerts, posting
from billing.models import LedgerAccount


@transaction.atomic
def watch(organization: Organization, low_balance: Decimal | None) -> None:
    """Name the balance below which a root organization's is low; None, that it never is. Where it is low already, with
    what fell due settled, that is announced at once."""
    now = timezone.now()
    posting.lock([organization.pk], now)
    LedgerAccount.objects.filter(pk=organization.pk).update(low_balance=low_balance)
    alerts.check([organization.pk], now)


@transaction.atomic
def lend(account: UUID, *, credit_limit: Decimal, reason: str, actor: str) -> LedgerAccount:
    """Let what is available go below zero by `credit_limit`, which is not negative; an event tells who said so, and
    why. Admissions that meet this come before it or after it. Said again, it changes nothing."""
    now = timezone.now()
    posting.lock([account], now)
    mine = LedgerAccount.objects.get(pk=account)
    if mine.credit_limit != credit_limit:
        about = {"before": mine.credit_limit, "credit_limit": credit_limit, "reason": reason, "actor": actor}
        events.record(account, "credits.limit_changed", about, now)
        mine.credit_limit = credit_limit
        mine.save(update_fields=["credit_limit"])
    return mine
