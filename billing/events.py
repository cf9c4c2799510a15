"""The events of credits, payments and billing accounts."""

from collections.abc import Mapping

from accounts.events.catalog import (
    CHANGES,
    FIELDS,
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

PAYMENT: Mapping[str, Schema] = {
    "payment": TEXT,
    "purpose": {"enum": ["purchase", "recharge", "invoice"]},
    "amount": NUMBER,
    "total": NUMBER,
    "currency": TEXT,
    "failure_code": {"type": ["string", "null"]},
}
REFUND: Mapping[str, Schema] = {
    "refund": TEXT,
    "payment": TEXT,
    "amount": NUMBER,
    "total": NUMBER,
    "currency": TEXT,
    "reason": TEXT,
    "actor": TEXT,
}
PAUSE: Mapping[str, Schema] = {"reason": {"enum": ["declined", "action_required", "chargeback"]}}
DISPUTE: Mapping[str, Schema] = {
    "dispute": TEXT,
    "payment": TEXT,
    "status": {"enum": ["inquiry", "open", "won", "lost", "closed"]},
    "reason": TEXT,
    "total": NUMBER,
    "currency": TEXT,
    "withdrawn": {**NUMBER, "description": "Credits that were taken back so far"},
    "reinstated": {**NUMBER, "description": "Credits that were returned so far"},
}
CARD: Mapping[str, Schema] = {"payment_method": TEXT, "brand": TEXT, "last4": TEXT}
CARD_UNTIL: Mapping[str, Schema] = {**CARD, "exp_month": INTEGER, "exp_year": INTEGER}

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

PAID = {
    "payment": "pay_0123456789abcdef0123456789abcdef",
    "purpose": "purchase",
    "amount": 25,
    "total": 25,
    "currency": "USD",
    "failure_code": None,
}
DECLINED = {**PAID, "failure_code": "insufficient_funds"}
REFUNDED = {
    "refund": "re_0123456789abcdef0123456789abcdef",
    "payment": "pay_0123456789abcdef0123456789abcdef",
    "amount": 10,
    "total": 10,
    "currency": "USD",
    "reason": "Goodwill",
    "actor": "key_0123456789abcdef",
}
AN_INVOICE = {
    "invoice": "in_0123456789abcdef0123456789abcdef",
    "number": "INV-2026-000123",
    "kind": "invoice",
    "status": "open",
    "total": 119,
    "currency": "EUR",
}
DISPUTED = {
    "dispute": "du_0123456789abcdef0123456789abcdef",
    "payment": "pay_0123456789abcdef0123456789abcdef",
    "status": "open",
    "reason": "fraudulent",
    "total": 25,
    "currency": "USD",
    "withdrawn": 25,
    "reinstated": 0,
}
VISA = {"payment_method": "pm_0123456789abcdef0123456789abcdef", "brand": "visa", "last4": "4242"}
VISA_UNTIL = {**VISA, "exp_month": 12, "exp_year": 2026}
SPENT = {"subject": "key_0123456789abcdef", "monthly_budget": 100, "month": "2026-11", "spent": 80.5, "threshold": 80}
PACKAGE = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

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
        "finance_package.made",
        "The tables of a month for bookkeeping were made, of all customers.",
        {"month": TEXT, "size": INTEGER, "sha256": TEXT},
        {
            "month": "2026-10",
            "size": 48213,
            "sha256": PACKAGE,
        },
        audit_only=True,
    ),
    EventType(
        "finance_package.downloaded",
        "The tables of a month for bookkeeping were downloaded, or written to a file.",
        {"month": TEXT, "sha256": TEXT},
        {"month": "2026-10", "sha256": PACKAGE},
        audit_only=True,
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
        "payment.created",
        "A purchase was started, by a person or by auto-recharge. Nothing is charged yet.",
        PAYMENT,
        PAID,
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
            "digest": PACKAGE,
            "signature": "eyJhbGciOiJSUzI1NiJ9…",
        },
    ),
    EventType("payment.succeeded", "A payment succeeded, and its credits were added.", PAYMENT, PAID),
    EventType("payment.failed", "A payment failed: nothing was charged.", PAYMENT, DECLINED),
    EventType("payment.action_required", "The bank wants the card's owner to confirm a payment.", PAYMENT, PAID),
    EventType(
        "auto_recharge.changed",
        "The settings of auto-recharge were changed.",
        {"enabled": {"type": "boolean"}, "before": FIELDS, "after": FIELDS, "actor": TEXT_OR_NULL},
        {
            "enabled": True,
            "before": {"enabled": False, "threshold": None},
            "after": {"enabled": True, "threshold": 5},
            "actor": "user:7",
        },
    ),
    EventType("auto_recharge.retried", "Someone asked auto-recharge to try again now.", {}, {}),
    EventType(
        "auto_recharge.paused",
        "Auto-recharge is paused: cards were declined, an authentication lapsed, or a payment was taken back.",
        PAUSE,
        {"reason": "declined"},
    ),
    EventType(
        "auto_recharge.resumed",
        "Auto-recharge is no longer paused: a card was added, a purchase was paid, or someone asked to try again.",
        PAUSE,
        {"reason": "declined"},
    ),
    EventType(
        "auto_recharge.limit_crossed",
        "Auto-recharge reached 80 or 100 % of its monthly limit, or the limit leaves no room for a charge.",
        {
            "threshold": {"type": "integer", "description": "Percent of the limit"},
            "monthly_limit": NUMBER,
            "spent": NUMBER,
            "month": TEXT,
        },
        {"threshold": 80, "monthly_limit": 200, "spent": 160, "month": "2026-11"},
    ),
    EventType(
        "auto_recharge.frequent",
        "There were three recharges within an hour: a larger amount would be better.",
        {"recharges": INTEGER},
        {"recharges": 3},
    ),
    EventType("refund.created", "A refund was started: the company took the credits back.", REFUND, REFUNDED),
    EventType("refund.succeeded", "A refund was paid back to the card.", REFUND, REFUNDED),
    EventType("refund.failed", "A refund failed, and its credits were returned.", REFUND, REFUNDED),
    EventType("invoice.issued", "An invoice, a credit note or a statement was issued.", INVOICE, AN_INVOICE),
    EventType("dispute.created", "A cardholder asks their bank about a payment, or contests it.", DISPUTE, DISPUTED),
    EventType(
        "dispute.funds_withdrawn", "A bank took a payment back, and its credits were withdrawn.", DISPUTE, DISPUTED
    ),
    EventType(
        "dispute.funds_reinstated",
        "The money of a dispute came back, and its credits were returned.",
        DISPUTE,
        {**DISPUTED, "status": "won", "reinstated": 25},
    ),
    EventType("dispute.closed", "A dispute was won, lost or dropped.", DISPUTE, {**DISPUTED, "status": "lost"}),
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
    EventType("payment_method.added", "A card was added.", CARD, VISA),
    EventType("payment_method.removed", "A card was removed, here or at the payment gateway.", CARD, VISA),
    EventType(
        "payment_method.changed",
        "A card became the default or the backup, or is no longer the backup.",
        {**CARD, "is_default": {"type": "boolean"}, "is_backup": {"type": "boolean"}},
        {**VISA, "is_default": True, "is_backup": False},
    ),
    EventType("payment_method.updated", "The card's network renewed it.", CARD_UNTIL, VISA_UNTIL),
    EventType("payment_method.expiring", "A card expires within 30 days.", CARD_UNTIL, VISA_UNTIL),
    EventType(
        "payment_method.declined",
        "A card was permanently declined, and is no longer charged automatically.",
        {**CARD, "code": TEXT},
        {**VISA, "code": "lost_card"},
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
