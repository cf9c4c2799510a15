"""The gate: may this key do this now, and what will it cost? The first reason against decides."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from apikeys import keys
from apikeys.models import ApiKey
from billing import ledger
from billing.models import Meter
from billing.money import ZERO
from usage import pricing


class Code(StrEnum):
    VALID = "VALID"
    NOT_FOUND = "NOT_FOUND"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    DISABLED = "DISABLED"
    INSUFFICIENT_PERMISSIONS = "INSUFFICIENT_PERMISSIONS"
    ORGANIZATION_SUSPENDED = "ORGANIZATION_SUSPENDED"
    INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"


@dataclass(frozen=True)
class Verdict:
    """`cost` is that of the call that was asked about, zero where no meter was named; `available` is the payer's."""

    code: Code
    key: ApiKey | None = None
    cost: Decimal = ZERO
    available: Decimal | None = None


def verify(
    secret: str, now: datetime, *, permission: str | None = None, meter: Meter | None = None, quantity: Decimal
) -> Verdict:
    """The verdict about a customer's key. It moves nothing: a refused call costs nothing."""
    key = keys.find(secret, now)
    if key is None or key.organization is None:
        return Verdict(Code.NOT_FOUND)
    status = key.status(now)
    if status != "active":
        return Verdict(Code[status.upper()], key)
    if permission is not None and permission not in key.permissions:
        return Verdict(Code.INSUFFICIENT_PERMISSIONS, key)
    if not key.organization.is_operational:
        return Verdict(Code.ORGANIZATION_SUSPENDED, key)
    ApiKey.objects.touch(key, now)
    cost = _cost(key, meter, quantity)
    available = ledger.available(key.organization.root_id)
    code = Code.INSUFFICIENT_CREDITS if cost > max(available, ZERO) else Code.VALID
    return Verdict(code, key, cost, available)


def _cost(key: ApiKey, meter: Meter | None, quantity: Decimal) -> Decimal:
    if meter is None or key.environment == ApiKey.Environment.TEST:
        return ZERO
    return pricing.rate(quantity, meter.price.unit_amount if hasattr(meter, "price") else ZERO)
