"""The limits of an account: when its balance is low, when auto-recharge starts, how far it may go into debt, and how
often its keys may call.
"""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from accounts import events
from accounts.models import Organization
from billing.ledger import alerts, posting
from billing.models import LedgerAccount


@transaction.atomic
def set_low_balance(organization: Organization, low_balance: Decimal | None, *, now: datetime) -> None:
    """Set the balance below which a root organization's balance is low; None means that it never is.

    If it is low already, once the account is up to date, that is announced at once.
    """
    posting.lock([organization.pk], now)
    ledger = LedgerAccount.objects.filter(pk=organization.pk)
    before, after = {"low_balance": ledger.get().low_balance}, {"low_balance": low_balance}
    ledger.update(low_balance=low_balance)
    events.record_change(
        organization.pk, "credits.alerts_changed", before, after, now, targets=[organization.public_id]
    )
    alerts.check([organization.pk], now)


@transaction.atomic
def set_credit_limit(account: UUID, *, credit_limit: Decimal, reason: str, actor: str, now: datetime) -> LedgerAccount:
    """Let what is available go below zero by up to `credit_limit`, which is not negative.

    An event says who set it and why. Admissions at the same time come before it or after it. Setting the same limit
    again changes nothing.
    """
    posting.lock([account], now)
    state = LedgerAccount.objects.get(pk=account)
    if state.credit_limit != credit_limit:
        change = {"before": state.credit_limit, "credit_limit": credit_limit, "reason": reason, "actor": actor}
        events.record(account, "credits.limit_changed", change, now, actor=events.platform_actor(actor))
        state.credit_limit = credit_limit
        state.save(update_fields=["credit_limit"])
    return state


def set_recharge_below(account: UUID, threshold: Decimal | None) -> None:
    """Start auto-recharge when a posting takes the account below this; None to turn that off. Under its lock."""
    LedgerAccount.objects.filter(pk=account).update(recharge_below=threshold)


def set_rate_limit(account: UUID, limit: int | None, window_seconds: int | None) -> None:
    """At most so many calls of all its keys in so many seconds; None without a limit. Under its lock."""
    limits = {"rate_limit": limit, "rate_limit_window_seconds": window_seconds}
    LedgerAccount.objects.filter(pk=account).update(**limits)
