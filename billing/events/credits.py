"""The events of credits: budgets, alerts, grants and the ledger."""

from collections.abc import Mapping

from accounts.events.catalog import (
    CHANGES,
    INTEGER,
    NUMBER,
    NUMBER_OR_NULL,
    OPERATOR,
    TEXT,
    TEXT_OR_NULL,
    EventType,
    Schema,
    register,
)

BALANCE: Mapping[str, Schema] = {"balance": NUMBER, "low_balance": NUMBER_OR_NULL}
BUDGET: Mapping[str, Schema] = {
    "subject": {"type": "string", "description": "The key or the organization that has the budget"},
    "monthly_budget": NUMBER_OR_NULL,
    "month": TEXT,
    "spent": NUMBER,
    "threshold": {"type": "integer", "description": "Percent of the budget"},
}
CORRECTION: Mapping[str, Schema] = {"entry": INTEGER, "amount": NUMBER, "reason": TEXT, "actor": TEXT}
SPENT = {"subject": "key_0123456789abcdef", "monthly_budget": 100, "month": "2026-11", "spent": 80.5, "threshold": 80}
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

register(
    EventType("budget.crossed", "Spending reached a threshold of a monthly budget.", BUDGET, SPENT),
    EventType("budget.recovered", "Spending is below a threshold of a monthly budget again.", BUDGET, SPENT),
    EventType("credits.low", "The balance fell below `low_balance`.", BALANCE, {"balance": 19.5, "low_balance": 20}),
    EventType("credits.recovered", "The balance is no longer low.", BALANCE, {"balance": 120, "low_balance": 20}),
    EventType(
        "credits.limit_changed",
        "An operator changed how far the balance may go below zero.",
        {"before": NUMBER, "credit_limit": NUMBER, "reason": TEXT, "actor": TEXT},
        {"before": 0, "credit_limit": 50, "reason": "Agreed by phone", "actor": OPERATOR},
    ),
    EventType(
        "credits.alerts_changed",
        "The low-balance alert was changed.",
        CHANGES,
        {
            "fields": ["low_balance"],
            "before": {"low_balance": None},
            "after": {"low_balance": 20},
            "actor": "user:7",
        },
    ),
    EventType(
        "credits.imported",
        "A balance was brought forward from another system: credits, or a debt. Credits may expire.",
        {"entry": INTEGER, "amount": NUMBER, "category": TEXT_OR_NULL, "expires_at": TEXT_OR_NULL},
        {"entry": 1, "amount": 120, "category": "paid", "expires_at": None},
    ),
    EventType(
        "credits.granted",
        "The company gave credits.",
        {"grant": TEXT, "entry": INTEGER, "amount": NUMBER, "category": TEXT, "expires_at": TEXT_OR_NULL},
        {
            "grant": "grant_0123456789abcdef0123456789abcdef",
            "entry": 14,
            "amount": 50,
            "category": "promotional",
            "expires_at": "2027-01-01T00:00:00Z",
        },
    ),
    EventType(
        "ledger.adjusted",
        "The company corrected the balance.",
        CORRECTION,
        {"entry": 12, "amount": 5, "reason": "Goodwill", "actor": OPERATOR},
    ),
    EventType(
        "ledger.reversed",
        "The company reversed a ledger entry.",
        {**CORRECTION, "reverses": INTEGER},
        {"entry": 13, "reverses": 12, "amount": -5, "reason": "Posted twice", "actor": OPERATOR},
    ),
    EventType(
        "ledger.exported",
        "Entries of the ledger were exported: so many, from `first` on.",
        {"format": TEXT, "first": INTEGER, "entries": INTEGER},
        {"format": "jsonl", "first": 1, "entries": 120},
        audit_only=True,
    ),
    EventType(
        "ledger.sealed",
        "Once a day: the newest seal of the ledger. Keep it, and it shows later whether an entry was changed.",
        {"log": TEXT, "organization": TEXT, "last": INTEGER, "digest": TEXT, "signature": TEXT},
        {
            "log": "ledger",
            "organization": "acct_1b2c3d4e5f6g7h8i",
            "last": 120,
            "digest": DIGEST,
            "signature": "eyJhbGciOiJSUzI1NiJ9…",
        },
    ),
)
