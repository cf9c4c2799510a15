"""The registry of event types. Each has a name, the JSON schema of its `data`, and an example.

Fields are only added to a type. A change that would break a reader is a new type.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

API_VERSION = "v1"


class UnregisteredEventType(ValueError):
    """An event of a type that is not in the registry. It is a mistake in our code."""


@dataclass(frozen=True)
class EventType:
    """`properties` are the members of `data`, as JSON schemas, and `optional` those that may be missing.

    An event that is only for audits goes to a webhook endpoint only if its maker may read the audit log.
    """

    name: str
    description: str
    properties: Mapping[str, Schema]
    example: Mapping[str, Any]
    optional: frozenset[str] = frozenset()
    audit_only: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of `data`."""
        return {
            "type": "object",
            "properties": {name: dict(schema) for name, schema in self.properties.items()},
            "required": [name for name in self.properties if name not in self.optional],
        }


TEXT: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number", "format": "decimal"}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"], "format": "decimal"}
FIELDS: Schema = {"type": "object", "description": "Values by the name of the field"}
NAMES: Schema = {"type": "array", "items": {"type": "string"}}

BALANCE: Mapping[str, Schema] = {"balance": NUMBER, "low_balance": NUMBER_OR_NULL}
BUDGET: Mapping[str, Schema] = {
    "subject": {"type": "string", "description": "The key or the organization that has the budget"},
    "monthly_budget": NUMBER_OR_NULL,
    "month": TEXT,
    "spent": NUMBER,
    "threshold": {"type": "integer", "description": "Percent of the budget"},
}
CHANGES: Mapping[str, Schema] = {"before": FIELDS, "after": FIELDS, "actor": TEXT}
CORRECTION: Mapping[str, Schema] = {"entry": INTEGER, "amount": NUMBER, "reason": TEXT, "actor": TEXT}
BY_OPERATOR: Mapping[str, Schema] = {"actor": TEXT}

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
CARD: Mapping[str, Schema] = {"payment_method": TEXT, "brand": TEXT, "last4": TEXT}

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
VISA = {"payment_method": "pm_0123456789abcdef0123456789abcdef", "brand": "visa", "last4": "4242"}
SPENT = {"subject": "key_0123456789abcdef", "monthly_budget": 100, "month": "2026-11", "spent": 80.5, "threshold": 80}
OPERATOR = "user:7"

ENDPOINT: Mapping[str, Schema] = {"webhook_endpoint": TEXT}
AN_ENDPOINT = {"webhook_endpoint": "we_0199f0c2a1b27c3d8e4f5a6b7c8d9e0f"}
OF_ENDPOINT: Mapping[str, Schema] = {
    **ENDPOINT,
    "url": TEXT,
    "description": TEXT,
    "event_types": NAMES,
    "includes_subtree": {"type": "boolean"},
}

_ALL = (
    EventType("budget.crossed", "Spending reached a threshold of a monthly budget.", BUDGET, SPENT),
    EventType("budget.recovered", "Spending is below a threshold of a monthly budget again.", BUDGET, SPENT),
    EventType("credits.low", "The balance fell below `low_balance`.", BALANCE, {"balance": 19.5, "low_balance": 20}),
    EventType("credits.recovered", "The balance is not low any more.", BALANCE, {"balance": 120, "low_balance": 20}),
    EventType(
        "credits.limit_changed",
        "An operator changed how far the balance may go below zero.",
        {"before": NUMBER, "credit_limit": NUMBER, "reason": TEXT, "actor": TEXT},
        {"before": 0, "credit_limit": 50, "reason": "Agreed by phone", "actor": OPERATOR},
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
    EventType("payment.succeeded", "A payment succeeded, and its credits are there.", PAYMENT, PAID),
    EventType("payment.failed", "A payment failed: nothing was charged.", PAYMENT, DECLINED),
    EventType("payment.action_required", "The bank wants the card's owner to confirm a payment.", PAYMENT, PAID),
    EventType(
        "auto_recharge.changed",
        "Somebody changed the settings of auto-recharge.",
        {"enabled": {"type": "boolean"}, "actor": TEXT},
        {"enabled": True, "actor": "user:7"},
    ),
    EventType(
        "auto_recharge.paused",
        "Auto-recharge is paused: its cards were declined, or its owner did not authenticate.",
        {"reason": {"enum": ["declined", "action_required"]}},
        {"reason": "declined"},
    ),
    EventType(
        "auto_recharge.frequent",
        "There were three recharges within an hour: a larger amount would be better.",
        {"recharges": INTEGER},
        {"recharges": 3},
    ),
    EventType("refund.created", "The company takes credits back, to pay their money back.", REFUND, REFUNDED),
    EventType("refund.succeeded", "A refund was paid back to the card.", REFUND, REFUNDED),
    EventType("refund.failed", "A refund was not paid back: the credits are there again.", REFUND, REFUNDED),
    EventType("payment_method.added", "A card was added.", CARD, VISA),
    EventType("payment_method.removed", "A card was removed.", CARD, VISA),
    EventType(
        "payment_method.declined",
        "A card's bank declined it for good: it is not charged again by itself.",
        {**CARD, "code": TEXT},
        {**VISA, "code": "lost_card"},
    ),
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
        "billing_account.changed",
        "An operator changed the billing account.",
        CHANGES,
        {"before": {"name": "Acme"}, "after": {"name": "Acme Corp"}, "actor": OPERATOR},
    ),
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
    EventType(
        "webhook_endpoint.created",
        "A webhook endpoint was made.",
        OF_ENDPOINT,
        {
            **AN_ENDPOINT,
            "url": "https://example.com/hooks",
            "description": "",
            "event_types": ["*"],
            "includes_subtree": False,
        },
    ),
    EventType(
        "webhook_endpoint.changed",
        "A webhook endpoint was changed.",
        {**ENDPOINT, "before": FIELDS, "after": FIELDS},
        {**AN_ENDPOINT, "before": {"description": ""}, "after": {"description": "Billing"}},
    ),
    EventType(
        "webhook_endpoint.secret_rotated",
        "A webhook endpoint has a new secret; the one before works for `overlap_seconds`.",
        {**ENDPOINT, "overlap_seconds": INTEGER},
        {**AN_ENDPOINT, "overlap_seconds": 86400},
    ),
    EventType("webhook_endpoint.enabled", "A webhook endpoint was enabled again.", ENDPOINT, AN_ENDPOINT),
    EventType(
        "webhook_endpoint.disabled",
        "A webhook endpoint gets nothing any more: `manually`, as `failing` for five days, or as `gone`.",
        {**ENDPOINT, "reason": TEXT},
        {**AN_ENDPOINT, "reason": "failing"},
    ),
    EventType("webhook_endpoint.deleted", "A webhook endpoint was deleted.", ENDPOINT, AN_ENDPOINT),
    EventType(
        "webhook_endpoint.redelivered",
        "Deliveries of a webhook endpoint are sent again.",
        {**ENDPOINT, "deliveries": INTEGER},
        {**AN_ENDPOINT, "deliveries": 12},
    ),
    EventType(
        "webhook_endpoint.tested",
        "Sent to one endpoint alone when it is tried. It is in no list, and has no sequence.",
        ENDPOINT,
        AN_ENDPOINT,
    ),
)

TYPES: Mapping[str, EventType] = {type.name: type for type in _ALL}


def require(name: str) -> EventType:
    """The registered type of this name."""
    try:
        return TYPES[name]
    except KeyError as error:
        raise UnregisteredEventType(f"{name} is not a registered event type.") from error
