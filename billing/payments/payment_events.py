"""The events of payments."""

from datetime import datetime

from accounts import events
from billing.models import Payment


def record(payment: Payment, type: str, now: datetime) -> None:
    data = {
        "payment": payment.public_id,
        "purpose": payment.purpose,
        "amount": payment.amount,
        "total": payment.total,
        "currency": payment.currency,
        "failure_code": payment.failure_code or None,
    }
    events.record(payment.organization_id, type, data, now, targets=[payment.public_id])
