"""The events of organizations and of the people in them."""

from collections.abc import Mapping

from accounts.events.catalog import (
    CHANGES,
    INTEGER,
    NAMES,
    OPERATOR,
    TEXT,
    TEXT_OR_NULL,
    EventType,
    Schema,
    register,
)

USER: Mapping[str, Schema] = {"user": INTEGER}
ACTOR: Mapping[str, Schema] = {"actor": TEXT_OR_NULL}
MEMBER: Mapping[str, Schema] = {"member": TEXT, "role": TEXT}
INVITATION: Mapping[str, Schema] = {"invitation": TEXT}
AN_INVITATION = {"invitation": "inv_0199f0c2a1b27c3d8e4f5a6b7c8d9e0f"}
EXPORT: Mapping[str, Schema] = {"export": TEXT}
AN_EXPORT = {"export": "exp_0199f0c2a1b27c3d8e4f5a6b7c8d9e0f"}
PARENTS = ({"parent": "acct_0a1b2c3d4e5f6g7h"}, {"parent": "acct_1b2c3d4e5f6g7h8i"})

register(
    EventType(
        "organization.created",
        "An organization was created. `parent` is null for a root.",
        {"parent": TEXT_OR_NULL},
        {"parent": "acct_0a1b2c3d4e5f6g7h"},
    ),
    EventType(
        "organization.changed",
        "Fields of the organization were changed.",
        CHANGES,
        {
            "fields": ["monthly_budget"],
            "before": {"monthly_budget": None},
            "after": {"monthly_budget": 100},
            "actor": OPERATOR,
        },
    ),
    EventType(
        "organization.moved",
        "The organization, with all beneath it, was moved to another parent.",
        CHANGES,
        {"fields": ["parent"], "before": PARENTS[0], "after": PARENTS[1], "actor": "user:12"},
    ),
    EventType(
        "organization.suspended",
        "The organization was suspended, with all beneath it.",
        {"reason": TEXT, **ACTOR},
        {"reason": "Unpaid invoices", "actor": OPERATOR},
    ),
    EventType("organization.resumed", "The suspension was ended.", ACTOR, {"actor": OPERATOR}),
    EventType("organization.closed", "The organization was closed for good.", {}, {}),
    EventType(
        "security_policy.changed",
        "The security policy was changed.",
        CHANGES,
        {
            "fields": ["longest_key_life_days"],
            "before": {"longest_key_life_days": None},
            "after": {"longest_key_life_days": 30},
            "actor": OPERATOR,
        },
        audit_only=True,
    ),
    EventType(
        "user.changed",
        "A person who has a role in the organization was changed. Only the fields are named.",
        {"user": INTEGER, "fields": NAMES, **ACTOR},
        {"user": 12, "fields": ["name"], "actor": OPERATOR},
        audit_only=True,
    ),
    EventType(
        "user.erasure_requested",
        "A person who has a role in the organization asked to be erased. They may come back for 14 days.",
        USER,
        {"user": 12},
        audit_only=True,
    ),
    EventType(
        "user.erasure_cancelled", "A person who asked to be erased came back.", USER, {"user": 12}, audit_only=True
    ),
    EventType("user.erased", "A person was erased. Only their id is left.", USER, {"user": 12}),
    EventType(
        "member.role_changed",
        "A member's role was changed.",
        {"member": TEXT, **CHANGES},
        {
            "member": "user:12",
            "fields": ["role"],
            "before": {"role": "viewer"},
            "after": {"role": "admin"},
            "actor": "user:7",
        },
    ),
    EventType(
        "member.removed",
        "A member left, or was removed.",
        MEMBER,
        {"member": "user:12", "role": "viewer"},
    ),
    EventType(
        "service_account.created",
        "A service account was made.",
        {"service_account": TEXT, "role": TEXT},
        {"service_account": "svc_0199f0c2a1b27c3d8e4f5a6b7c8d9e0f", "role": "developer"},
    ),
    EventType(
        "service_account.handed_over",
        "Another person is responsible for a service account.",
        {"service_account": TEXT, "responsible": {"type": ["string", "null"]}},
        {"service_account": "svc_0199f0c2a1b27c3d8e4f5a6b7c8d9e0f", "responsible": "user:7"},
    ),
    EventType(
        "service_account.removed",
        "A service account was removed, and its keys were revoked.",
        {"service_account": TEXT},
        {"service_account": "svc_0199f0c2a1b27c3d8e4f5a6b7c8d9e0f"},
    ),
    EventType(
        "invitation.created",
        "An email address was invited to a role.",
        {**INVITATION, "role": TEXT},
        {**AN_INVITATION, "role": "viewer"},
    ),
    EventType(
        "invitation.resent",
        "An invitation was sent again, with a new link.",
        {**INVITATION, "role": TEXT},
        {**AN_INVITATION, "role": "viewer"},
    ),
    EventType(
        "invitation.accepted",
        "An invitation was accepted: the person is a member now.",
        {**INVITATION, **MEMBER},
        {**AN_INVITATION, "member": "user:12", "role": "viewer"},
    ),
    EventType(
        "invitation.revoked",
        "An invitation was revoked.",
        {**INVITATION, **ACTOR},
        {**AN_INVITATION, "actor": OPERATOR},
    ),
    EventType(
        "sign_in.started",
        "A person signed in, in the dashboard (`session`) or for tokens (`token`).",
        {"method": TEXT},
        {"method": "token"},
        audit_only=True,
    ),
    EventType("sign_in.ended", "A person signed out.", {"method": TEXT}, {"method": "token"}, audit_only=True),
    EventType(
        "sign_in.others_ended",
        "All sign-ins of a person ended, but for the one that they were using.",
        {"ended": INTEGER},
        {"ended": 3},
        audit_only=True,
    ),
    EventType(
        "sign_in.switched",
        "A person switched to the organization.",
        {"method": TEXT},
        {"method": "session"},
        audit_only=True,
    ),
    EventType("export.requested", "An export of all data was asked for.", EXPORT, AN_EXPORT, audit_only=True),
    EventType("export.finished", "An export of all data is ready.", EXPORT, AN_EXPORT, audit_only=True),
    EventType("export.downloaded", "An export of all data was downloaded.", EXPORT, AN_EXPORT, audit_only=True),
    EventType(
        "event_log.exported",
        "Events were exported: so many, from `first` on.",
        {"format": TEXT, "first": INTEGER, "events": INTEGER},
        {"format": "csv", "first": 1, "events": 120},
        audit_only=True,
    ),
    EventType(
        "event_log.sealed",
        "Once a day: the newest seal of the log. Keep it, and it shows later whether events are missing at the end.",
        {"log": TEXT, "organization": TEXT_OR_NULL, "last": INTEGER, "digest": TEXT, "signature": TEXT},
        {
            "log": "events",
            "organization": "acct_1b2c3d4e5f6g7h8i",
            "last": 42,
            "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "signature": "eyJhbGciOiJSUzI1NiJ9…",
        },
    ),
    EventType(
        "visit.started",
        "An operator of the company began to look at the organization's pages. They can change nothing.",
        {"reason": TEXT, "expires_at": TEXT, **ACTOR},
        {"reason": "You asked why a call was refused", "expires_at": "2026-11-27T21:00:00+00:00", "actor": OPERATOR},
        audit_only=True,
    ),
    EventType(
        "visit.ended", "An operator's visit was ended before its time.", ACTOR, {"actor": OPERATOR}, audit_only=True
    ),
    EventType("password.changed", "A person's password was changed.", {}, {}, audit_only=True),
)
