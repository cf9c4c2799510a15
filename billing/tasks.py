from celery import shared_task
from django.utils import timezone

from accounts.models import Organization
from billing import clock
from billing.change_requests import deciding
from billing.invoicing import documents, dunning, register, renewals
from billing.ledger import alerts, expiry_sweep, seals
from billing.payments import cards, comparison, gateways, inbound, payments, recharge, refunding


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
def recharge_account(organization: str) -> bool:
    """One that a posting took below its threshold."""
    payer = Organization.objects.get(pk=organization)
    return recharge.run(payer, clock.now(payer)) is not None


@shared_task
def renew_subscriptions() -> int:
    return renewals.sweep(timezone.now())


@shared_task
def settle_pending_refunds() -> int:
    return refunding.sweep(timezone.now())


@shared_task
def expire_change_requests() -> int:
    return deciding.expire(timezone.now())


@shared_task
def make_documents() -> int:
    return documents.make_due(timezone.now())


@shared_task
def check_vat_ids() -> int:
    return register.sweep(timezone.now())


@shared_task
def collect_invoices() -> int:
    return dunning.sweep(timezone.now())


@shared_task
def sweep_alerts() -> None:
    alerts.sweep(timezone.now())


@shared_task
def poll_gateway_events() -> None:
    if gateway := gateways.chosen():
        inbound.poll(gateway, timezone.now())


@shared_task
def handle_gateway_events() -> int:
    return inbound.sweep(timezone.now())


@shared_task
def compare_gateway() -> bool:
    gateway = gateways.chosen()
    return gateway is not None and comparison.run_due(gateway, timezone.now())


@shared_task
def announce_expiring_cards() -> int:
    return cards.announce_expiring(timezone.now())


@shared_task
def seal_ledgers() -> int:
    """The entries of the last minutes."""
    return seals.sweep(timezone.now())


@shared_task
def seal_all_ledgers() -> int:
    """Whatever the frequent sweep has missed."""
    return seals.sweep(timezone.now(), everybody=True)


@shared_task
def announce_ledger_seals() -> int:
    return seals.announce(timezone.now())
