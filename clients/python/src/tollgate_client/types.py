"""What a gateway sends and gets. Written from the OpenAPI document by generate_types.py."""

from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict

Code = Literal[
    "VALID",
    "NOT_FOUND",
    "REVOKED",
    "EXPIRED",
    "DISABLED",
    "IP_NOT_ALLOWED",
    "INSUFFICIENT_PERMISSIONS",
    "ORGANIZATION_SUSPENDED",
    "RATE_LIMITED",
    "BUDGET_EXCEEDED",
    "INSUFFICIENT_CREDITS",
]

Result = Literal[
    "accepted",
    "duplicate",
    "rejected",
]

HoldStatus = Literal[
    "open",
    "captured",
    "released",
    "expired",
]


class VerifyRequest(TypedDict):
    key: str
    permission: NotRequired[str | None]
    meter: NotRequired[str | None]
    quantity: NotRequired[Decimal | int]
    ip: NotRequired[str | None]
    hold_seconds: NotRequired[int | None]


class Verdict(TypedDict):
    valid: bool
    code: Code
    key_id: str | None
    organization: str | None
    permissions: list[str]
    expires_at: str | None
    cost: Decimal
    available: Decimal | None
    hold: NotRequired[str | None]


class UsageEvent(TypedDict):
    quantity: NotRequired[Decimal | int]
    endpoint: NotRequired[str]
    status: NotRequired[str]
    hold: NotRequired[str]
    id: str
    key_id: NotRequired[str]
    organization: NotRequired[str]
    meter: str
    occurred_at: NotRequired[str]
    properties: NotRequired[dict[str, Any]]


class EventResult(TypedDict):
    id: str | None
    result: Result
    credits: Decimal
    code: NotRequired[str]
    detail: NotRequired[str]


class Batch(TypedDict):
    accepted: int
    duplicate: int
    rejected: int
    credits: Decimal
    results: list[EventResult]


class TakeLeaseRequest(TypedDict):
    currency: NotRequired[str]
    organization: NotRequired[str]
    key_id: NotRequired[str | None]
    amount: Decimal
    minimum: NotRequired[Decimal]
    ttl_seconds: NotRequired[int]
    grace_seconds: NotRequired[int]
    reference: NotRequired[str]


class ExtendLeaseRequest(TypedDict):
    currency: NotRequired[str]
    amount: NotRequired[Decimal]
    ttl_seconds: NotRequired[int]


class Lease(TypedDict):
    id: str
    status: HoldStatus
    amount: Decimal
    captured: Decimal
    spend_until: str | None
    expires_at: str
    organization: str
    key_id: str | None
    reference: str
    created_at: str


class FieldError(TypedDict):
    pointer: str
    detail: str


class Problem(TypedDict):
    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: NotRequired[list[FieldError]]
