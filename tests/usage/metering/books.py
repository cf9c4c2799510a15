"""Arbitrary usage events, and everything that can be read about them afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from accounts.models import Organization
from tests.usage.metering.batches import balance, event, usage_entries
from usage.models import EndpointRollup, UsageEvent, UsageRollup

START = datetime(2015, 5, 17, tzinfo=UTC)

sent = st.lists(
    st.fixed_dictionaries(
        {
            "meter": st.sampled_from(["requests", "sms", "voice"]),
            "quantity": st.decimals(min_value=0, max_value=1000, places=9),
            "endpoint": st.sampled_from(["", "/a", "/b"]),
            "status": st.sampled_from([200, 500]),
            "occurred_at": st.integers(0, 7200).map(lambda s: (START + timedelta(seconds=s)).isoformat()),
        }
    ),
    min_size=1,
    max_size=12,
)


def books(organization: Organization) -> dict[str, Any]:
    """All that anyone can read of the usage of an organization, but for the number of entries."""
    rollup = ("bucket", "meter_id", "requests", "failed", "quantity", "credits")
    return {
        "balance": balance(organization),
        "entries": sum(amount for _, amount in usage_entries(organization)),
        "events": set(UsageEvent.objects.of(organization).values_list("id", "credits", "quantity", "occurred_at")),
        "rollups": set(UsageRollup.objects.of(organization).values_list(*rollup)),
        "by endpoint": set(EndpointRollup.objects.of(organization).values_list(*rollup, "endpoint")),
    }


def of(organization: Organization, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event(organization, **{"id": f"e{n}", **fields}) for n, fields in enumerate(batch)]
