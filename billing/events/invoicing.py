"""The events of billing accounts, subscriptions, papers, and the packages for bookkeeping."""

from collections.abc import Mapping

from accounts.events.catalog import CHANGES, FIELDS, INTEGER, NUMBER, OPERATOR, TEXT, EventType, Schema, register

SUBSCRIPTION: Mapping[str, Schema] = {"subscription": TEXT, "plan": TEXT}
SUBSCRIBED = {"subscription": "sub_0123456789abcdef0123456789abcdef", "plan": "pro"}
INVOICE: Mapping[str, Schema] = {
    "invoice": TEXT,
    "number": {"type": ["string", "null"], "description": "A statement has none"},
    "kind": {"enum": ["invoice", "credit_note", "statement"]},
    "status": {"enum": ["issued", "open", "paid", "past_due", "uncollectible"]},
    "total": NUMBER,
    "currency": TEXT,
}
AN_INVOICE = {
    "invoice": "in_0123456789abcdef0123456789abcdef",
    "number": "INV-2026-000123",
    "kind": "invoice",
    "status": "open",
    "total": 119,
    "currency": "EUR",
}
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

register(
    EventType(
        "finance_package.made",
        "The tables of a month for bookkeeping were made, of all customers.",
        {"month": TEXT, "size": INTEGER, "sha256": TEXT},
        {
            "month": "2026-10",
            "size": 48213,
            "sha256": DIGEST,
        },
        audit_only=True,
    ),
    EventType(
        "finance_package.downloaded",
        "The tables of a month for bookkeeping were downloaded, or written to a file.",
        {"month": TEXT, "sha256": TEXT},
        {"month": "2026-10", "sha256": DIGEST},
        audit_only=True,
    ),
    EventType("invoice.issued", "An invoice, a credit note or a statement was issued.", INVOICE, AN_INVOICE),
    EventType(
        "invoice.document_made",
        "The PDF of a paper was made and stored. `standard` is empty if the fonts lack a letter of it.",
        {"invoice": TEXT, "sha256": TEXT, "standard": TEXT},
        {"invoice": AN_INVOICE["invoice"], "sha256": "9f86d081…", "standard": "a-3a ua-1"},
    ),
    EventType("invoice.paid", "An invoice was paid.", INVOICE, {**AN_INVOICE, "status": "paid"}),
    EventType(
        "invoice.past_due",
        "An invoice is overdue: it could not be charged.",
        INVOICE,
        {**AN_INVOICE, "status": "past_due"},
    ),
    EventType(
        "invoice.uncollectible",
        "An invoice was given up as uncollectible.",
        INVOICE,
        {**AN_INVOICE, "status": "uncollectible"},
    ),
    EventType(
        "billing_account.created",
        "A billing account was opened.",
        {"billing_account": TEXT, "country": TEXT},
        {"billing_account": "cus_0123456789abcd", "country": "US"},
    ),
    EventType(
        "billing_account.changed",
        "The billing account was changed.",
        CHANGES,
        {"fields": ["name", "country"], "before": {"country": "US"}, "after": {"country": "CA"}, "actor": OPERATOR},
    ),
    EventType(
        "billing_account.closed",
        "The billing account was closed.",
        {"billing_account": TEXT},
        {"billing_account": "cus_0123456789abcd"},
    ),
    EventType(
        "clock.moved",
        "The clock of a test organization was moved ahead.",
        {"before": TEXT, "after": TEXT},
        {"before": "2026-11-27T12:00:00+00:00", "after": "2027-11-27T12:00:00+00:00"},
    ),
    EventType(
        "subscription.created",
        "A subscription was created.",
        {**SUBSCRIPTION, "interval": TEXT, "price": NUMBER, "trial": {"type": "boolean"}},
        {**SUBSCRIBED, "interval": "month", "price": 30, "trial": False},
    ),
    EventType(
        "subscription.trial_ending",
        "A trial ends soon. Then the plan is charged.",
        {**SUBSCRIPTION, "ends_at": TEXT, "price": NUMBER},
        {**SUBSCRIBED, "ends_at": "2026-03-08T12:00:00+00:00", "price": 30},
    ),
    EventType(
        "subscription.renewed",
        "A period of a subscription began, and its price was taken.",
        {**SUBSCRIPTION, "number": INTEGER, "price": NUMBER},
        {**SUBSCRIBED, "number": 2, "price": 30},
    ),
    EventType(
        "subscription.changed",
        "Another plan or interval was chosen, from now on or from the next period on.",
        {**SUBSCRIPTION, "before": FIELDS, "after": FIELDS, "begins_at": TEXT, "charge": NUMBER},
        {
            **SUBSCRIBED,
            "before": {"plan": "developer", "interval": "month"},
            "after": {"plan": "pro", "interval": "month"},
            "begins_at": "2026-03-08T12:00:00+00:00",
            "charge": 12.5,
        },
    ),
    EventType(
        "subscription.canceled",
        "A subscription ends with its period, unless that is taken back.",
        {**SUBSCRIPTION, "ends_at": TEXT},
        {**SUBSCRIBED, "ends_at": "2026-03-31T12:00:00+00:00"},
    ),
    EventType("subscription.resumed", "A cancelation was taken back.", SUBSCRIPTION, SUBSCRIBED),
    EventType(
        "subscription.past_due",
        "A subscription could not be renewed: its price was not available.",
        {**SUBSCRIPTION, "next_attempt_at": TEXT},
        {**SUBSCRIBED, "next_attempt_at": "2026-04-01T12:00:00+00:00"},
    ),
    EventType(
        "subscription.ended",
        "A subscription has ended.",
        {**SUBSCRIPTION, "reason": {"enum": ["canceled", "unpaid", "no_payment_method", "account_closed"]}},
        {**SUBSCRIBED, "reason": "canceled"},
    ),
)
