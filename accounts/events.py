"""What happened: one row for each event, written in the transaction that made it happen."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.models import Event


def record(organization: UUID, type: str, data: Mapping[str, Any], now: datetime) -> Event:
    """Record an event, such as `budget.crossed`, in the organization that it concerns."""
    return Event.objects.create(organization_id=organization, type=type, data=dict(data), created_at=now)
