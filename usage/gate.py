"""The gate: may this key do this now, and what will it cost? The first reason against decides."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from accounts.models import Organization
from apikeys import keys, windows
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
    IP_NOT_ALLOWED = "IP_NOT_ALLOWED"
    INSUFFICIENT_PERMISSIONS = "INSUFFICIENT_PERMISSIONS"
    ORGANIZATION_SUSPENDED = "ORGANIZATION_SUSPENDED"
    RATE_LIMITED = "RATE_LIMITED"
    INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"


@dataclass(frozen=True)
class Verdict:
    """`cost` is that of the call that was asked about, zero where no meter was named; `available` is the payer's.

    `permissions` are those that the key has now.
    """

    code: Code
    key: ApiKey | None = None
    cost: Decimal = ZERO
    available: Decimal | None = None
    permissions: tuple[str, ...] = ()


def verify(
    secret: str,
    now: datetime,
    *,
    permission: str | None = None,
    meter: Meter | None = None,
    quantity: Decimal,
    ip: str | None = None,
) -> Verdict:
    """The verdict about a customer's key. It moves nothing but the count of the key's rate limit."""
    key = keys.find(secret, now)
    if key is None or key.organization is None:
        return Verdict(Code.NOT_FOUND)
    permissions = keys.usable_permissions(key)
    may = permission is None or permission in permissions
    if reason := _refusal(key, key.organization, now, ip, may=may):
        return Verdict(reason, key, permissions=permissions)
    ApiKey.objects.touch(key, now)
    cost = _cost(key, meter, quantity)
    available = ledger.available(key.organization.root_id)
    code = Code.INSUFFICIENT_CREDITS if cost > max(available, ZERO) else Code.VALID
    return Verdict(code, key, cost, available, permissions)


def _refusal(key: ApiKey, organization: Organization, now: datetime, ip: str | None, *, may: bool) -> Code | None:
    """The first reason against the call that is not its price. Without an `ip`, a key with networks is refused."""
    if (status := key.status(now)) != "active":
        return Code[status.upper()]
    if not key.admits_address(ip or ""):
        return Code.IP_NOT_ALLOWED
    if not may:
        return Code.INSUFFICIENT_PERMISSIONS
    if not organization.is_operational:
        return Code.ORGANIZATION_SUSPENDED
    count = windows.take(key, now.timestamp())
    if count and not count.allowed:
        return Code.RATE_LIMITED
    return None


def _cost(key: ApiKey, meter: Meter | None, quantity: Decimal) -> Decimal:
    if meter is None or key.environment == ApiKey.Environment.TEST:
        return ZERO
    return pricing.rate(quantity, meter.price.unit_amount if hasattr(meter, "price") else ZERO)
