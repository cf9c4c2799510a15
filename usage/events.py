"""The events of usage."""

from accounts.events.catalog import NUMBER, TEXT, EventType, register

register(
    EventType(
        "month.closed",
        "A month was closed: its usage no longer changes.",
        {"month": TEXT, "opening": NUMBER, "used": NUMBER, "closing": NUMBER},
        {"month": "2026-10", "opening": 100, "used": 12.5, "closing": 87.5},
    ),
    EventType(
        "usage_event.voided",
        "The company voided a usage event. `entry` returned its `credits`; null if it was free.",
        {
            "usage_event": TEXT,
            "entry": {"type": ["integer", "null"]},
            "credits": NUMBER,
            "reason": TEXT,
            "actor": TEXT,
        },
        {
            "usage_event": "req-1",
            "entry": 14,
            "credits": 0.5,
            "reason": "The message was not sent",
            "actor": "key_0123456789abcdef",
        },
    ),
)
