"""The answer of the gate's statement about a call."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from billing.ledger import billing_zone
from billing.ledger.billing_zone import BillingZone


@dataclass(slots=True)
class Answer:
    """The statement's row. `code` is None for an unknown key, or says what is missing to decide (`usage.gate.sql`).

    `payer`, `timezone` and `zones` are there only if something is missing that depends on them. `limit` is the key's,
    and `plan_limit` that of its payer's plan; None if it wasn't looked at.
    """

    code: str | None
    meter: int | None
    key_id: str
    organization: str
    permissions: list[str]
    roles: list[str] | None
    expires_at: datetime | None
    cost: Decimal
    available: Decimal
    hold: UUID | None
    limit: int | None
    window: int
    is_counted: bool
    moments: list[float] | None
    calls: list[int] | None
    plan_limit: int | None
    plan_window: int
    is_counted_in_plan: bool
    plan_moments: list[float] | None
    plan_calls: list[int] | None
    is_test: bool
    payer: UUID
    timezone: str
    zones: str
    ahead: timedelta | None

    @property
    def billing_zone(self) -> BillingZone:
        return billing_zone.parse(self.timezone, self.zones)
