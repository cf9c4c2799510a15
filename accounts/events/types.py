"""The events of organizations and of the people in them."""

from collections.abc import Mapping

from accounts.events.catalog import CHANGES, INTEGER, NAMES, OPERATOR, TEXT, EventType, Schema, register

BY_OPERATOR: Mapping[str, Schema] = {"actor": TEXT}

register(
    EventType(
        "organization.changed",
        "An operator changed the organization.",
        CHANGES,
        {"before": {"monthly_budget": None}, "after": {"monthly_budget": 100}, "actor": OPERATOR},
    ),
    EventType(
        "organization.suspended",
        "An operator suspended the organization, with all beneath it.",
        {"reason": TEXT, "actor": TEXT},
        {"reason": "Unpaid invoices", "actor": OPERATOR},
    ),
    EventType("organization.resumed", "An operator ended the suspension.", BY_OPERATOR, {"actor": OPERATOR}),
    EventType(
        "security_policy.changed",
        "An operator changed the security policy.",
        CHANGES,
        {"before": {"longest_key_life_days": None}, "after": {"longest_key_life_days": 30}, "actor": OPERATOR},
        audit_only=True,
    ),
    EventType(
        "user.changed",
        "An operator changed a person who has a role in the organization. Only the fields are named.",
        {"user": INTEGER, "fields": NAMES, "actor": TEXT},
        {"user": 12, "fields": ["name"], "actor": OPERATOR},
        audit_only=True,
    ),
    EventType(
        "invitation.revoked",
        "An operator revoked an invitation.",
        {"invitation": TEXT, "actor": TEXT},
        {"invitation": "inv_0199f0c2a1b27c3d8e4f5a6b7c8d9e0f", "actor": OPERATOR},
    ),
)
