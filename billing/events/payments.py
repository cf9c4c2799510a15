"""The events of payments: cards, purchases, refunds, disputes and auto-recharge."""

from collections.abc import Mapping

from accounts.events.catalog import FIELDS, INTEGER, NUMBER, TEXT, TEXT_OR_NULL, EventType, Schema, register

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

register(
    EventType(
        "payment.created",
        "A purchase was started, by a person or by auto-recharge. Nothing is charged yet.",
        PAYMENT,
        PAID,
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
)
