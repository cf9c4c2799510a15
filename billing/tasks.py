from celery import shared_task
from django.utils import timezone

from billing.ledger import alerts, expiry_sweep
from billing.payments import payments, recharge, refunds


@shared_task
def settle_pending_payments() -> int:
    return payments.sweep(timezone.now())


@shared_task
def expire_due_credits() -> int:
    return expiry_sweep.expire_due(timezone.now())


@shared_task
def recharge_accounts() -> int:
    return recharge.sweep(timezone.now())


@shared_task
def settle_pending_refunds() -> int:
    return refunds.sweep(timezone.now())


@shared_task
def sweep_alerts() -> None:
    alerts.sweep(timezone.now())
