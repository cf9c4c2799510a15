"""The events of how people sign in. They go to webhooks only if their maker may read the audit log."""

from collections.abc import Mapping

from accounts.events.catalog import EventType, Schema, register

FACTOR: Mapping[str, Schema] = {"factor": {"enum": ["totp", "passkey", "recovery_code"]}}

register(
    EventType(
        "second_factor.added",
        "A person who has a role in the organization added a second factor.",
        FACTOR,
        {"factor": "totp"},
        audit_only=True,
    ),
    EventType(
        "second_factor.removed",
        "A person who has a role in the organization removed a second factor.",
        FACTOR,
        {"factor": "passkey"},
        audit_only=True,
    ),
    EventType(
        "second_factor.codes_renewed",
        "A person who has a role in the organization made new recovery codes.",
        FACTOR,
        {"factor": "recovery_code"},
        audit_only=True,
    ),
    EventType("email.changed", "A person has another address, or proved their own.", {}, {}, audit_only=True),
    EventType(
        "email.verified",
        "A person proved their address by a link. What the account had before that has ended.",
        {},
        {},
        audit_only=True,
    ),
)
