"""The events of API keys."""

from collections.abc import Mapping

from accounts.events.catalog import (
    CHANGES,
    INTEGER,
    NAMES,
    NUMBER_OR_NULL,
    OPERATOR,
    TEXT,
    TEXT_OR_NULL,
    EventType,
    Schema,
    register,
)

KEY: Mapping[str, Schema] = {"api_key": TEXT}
A_KEY = {"api_key": "key_0123456789abcdef"}

register(
    EventType(
        "api_key.created",
        "An API key was created.",
        {
            **KEY,
            "environment": {"enum": ["live", "test"]},
            "permissions": NAMES,
            "expires_at": TEXT_OR_NULL,
            "monthly_budget": NUMBER_OR_NULL,
        },
        {
            **A_KEY,
            "environment": "live",
            "permissions": ["messaging:send"],
            "expires_at": None,
            "monthly_budget": 100,
        },
    ),
    EventType(
        "api_key.changed",
        "An API key was changed.",
        {**KEY, **CHANGES},
        {
            **A_KEY,
            "fields": ["monthly_budget"],
            "before": {"monthly_budget": None},
            "after": {"monthly_budget": 100},
            "actor": OPERATOR,
        },
    ),
    EventType(
        "api_key.rotated",
        "An API key's secret was replaced. The previous one works for `overlap_seconds`.",
        {**KEY, "overlap_seconds": INTEGER},
        {**A_KEY, "overlap_seconds": 86400},
    ),
    EventType(
        "api_key.handed_over",
        "An API key was handed over to another person, because its creator left.",
        {**KEY, "creator": TEXT},
        {**A_KEY, "creator": "user:7"},
    ),
    EventType(
        "api_key.revoked", "An API key was revoked.", {**KEY, "actor": TEXT_OR_NULL}, {**A_KEY, "actor": OPERATOR}
    ),
)
