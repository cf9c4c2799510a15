"""The events of how people sign in. They go to webhooks only if their maker may read the audit log."""

from collections.abc import Mapping

from accounts.events.catalog import CHANGES, NAMES, OPERATOR, TEXT, EventType, Schema, register

FACTOR: Mapping[str, Schema] = {"factor": {"enum": ["totp", "passkey", "recovery_code"]}}
PROVIDER: Mapping[str, Schema] = {"provider": TEXT}
IDENTITY_PROVIDER: Mapping[str, Schema] = {"identity_provider": TEXT}
AN_IDENTITY_PROVIDER = {"identity_provider": "idp_0199f0c2a1b27c3d8e4f5a6b7c8d9e0f"}

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
    EventType(
        "linked_account.added",
        "A person who has a role in the organization signs in at a provider from now on.",
        PROVIDER,
        {"provider": "google"},
        audit_only=True,
    ),
    EventType(
        "linked_account.removed",
        "A person who has a role in the organization does not sign in at a provider any more.",
        PROVIDER,
        {"provider": "google"},
        audit_only=True,
    ),
    EventType(
        "identity_provider.created",
        "An operator entered the organization's own provider of sign-ins, for addresses of these domains.",
        {**IDENTITY_PROVIDER, "domains": NAMES},
        {**AN_IDENTITY_PROVIDER, "domains": ["example.com"]},
    ),
    EventType(
        "identity_provider.changed",
        "An operator changed the organization's own provider of sign-ins.",
        {**IDENTITY_PROVIDER, **CHANGES},
        {
            **AN_IDENTITY_PROVIDER,
            "fields": ["is_enabled"],
            "before": {"is_enabled": True},
            "after": {"is_enabled": False},
            "actor": OPERATOR,
        },
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
