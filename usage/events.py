"""The events of usage."""

from accounts.events.catalog import NUMBER, TEXT, EventType, register

register(
    EventType(
        "month.closed",
        "A month was closed: its usage doesn't change any more.",
        {"month": TEXT, "opening": NUMBER, "used": NUMBER, "closing": NUMBER},
        {"month": "2026-10", "opening": 100, "used": 12.5, "closing": 87.5},
    ),
)
