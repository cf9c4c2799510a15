"""The events of API keys."""

from accounts.events.catalog import CHANGES, OPERATOR, TEXT, EventType, register

register(
    EventType(
        "api_key.changed",
        "An operator changed an API key.",
        {"api_key": TEXT, **CHANGES},
        {
            "api_key": "key_0123456789abcdef",
            "before": {"name": "Old"},
            "after": {"name": "New"},
            "actor": OPERATOR,
        },
    ),
    EventType(
        "api_key.revoked",
        "An operator revoked an API key.",
        {"api_key": TEXT, "actor": TEXT},
        {"api_key": "key_0123456789abcdef", "actor": OPERATOR},
    ),
)
