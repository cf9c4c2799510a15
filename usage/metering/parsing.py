"""Parses usage events. Each is checked separately, before any SQL, so that an invalid one is rejected alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from accounts.lib import datetimes, identifiers, jsonb, numbers, texts
from accounts.lib.money import LARGEST, ZERO

CLOCK_SKEW = timedelta(hours=1)  # how far ahead a caller's clock may be
BATCH_LIMIT = 1000
ID_LIMIT, OWNER_LIMIT, METER_LIMIT = 100, 40, 50  # characters
ENDPOINT_BYTES = 2000  # what an index row has room for
PROPERTIES_DEPTH = 20
FIRST_FAILED_STATUS = 400


class Rejected(Exception):
    """An event can't be counted. `code` is stable; `field` is what is wrong, empty if it is the whole event."""

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field

    @property
    def detail(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


@dataclass(slots=True)  # not frozen, which would take as long as all checks together
class UsageRecord:
    """One event in the right types. `key` or `organization` (or both) say whose it is, by public id."""

    id: str
    key: str | None
    organization: str | None
    meter: str
    endpoint: str
    quantity: Decimal
    failed: bool
    occurred_at: datetime
    properties: Mapping[str, Any]
    hold: UUID | None = None


def parse(body: Any, now: datetime) -> UsageRecord:
    """The event of a JSON object; `Rejected` with the field that is wrong."""
    if not isinstance(body, dict):
        raise Rejected("invalid", "Expected a JSON object.")
    get = body.get
    key = _text(get("key_id"), "key_id", OWNER_LIMIT)
    organization = _text(get("organization"), "organization", OWNER_LIMIT)
    if key is None and organization is None:
        raise Rejected("missing", "Either key_id or organization is required.")
    meter = _text(get("meter"), "meter", METER_LIMIT)
    if meter is None:
        raise Rejected("missing", "Required.", "meter")
    return UsageRecord(  # by position, which takes half the time
        _id(get("id")),
        key,
        organization,
        meter,
        _endpoint(get("endpoint")),
        _quantity(get("quantity", 1)),
        _failed(get("status", "success")),
        _occurred_at(get("occurred_at"), now),
        _properties(get("properties")),
        _hold(get("hold")),
    )


def _id(value: Any) -> str:
    if value is None:
        raise Rejected("missing", "Required.", "id")
    if not isinstance(value, str) or not 1 <= len(value) <= ID_LIMIT or not value.isprintable():
        raise Rejected("invalid", f"Expected 1 to {ID_LIMIT} printable characters.", "id")
    return value


def _text(value: Any, field: str, limit: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > limit or not value.isprintable():
        raise Rejected("invalid", f"Expected at most {limit} printable characters.", field)
    return value


def _endpoint(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not texts.is_printable(value) or len(value.encode()) > ENDPOINT_BYTES:
        raise Rejected("invalid", f"Expected printable text of at most {ENDPOINT_BYTES} bytes.", "endpoint")
    return value


def _quantity(value: Any) -> Decimal:
    try:
        return numbers.read(value, least=ZERO, most=LARGEST)
    except ValueError as error:
        raise Rejected("invalid", str(error), "quantity") from error


def _failed(value: Any) -> bool:
    """`success`, `failed`, or an HTTP status, of which 1xx to 3xx are successes."""
    if type(value) is int and 100 <= value <= 599:
        return value >= FIRST_FAILED_STATUS
    if value == "success":
        return False
    if value == "failed":
        return True
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
        return _failed(int(value))
    raise Rejected("invalid", "Expected success, failed, or an HTTP status.", "status")


def _occurred_at(value: Any, now: datetime) -> datetime:
    """The event's own time, or `now`; `not_ahead` checks it once the payer is known."""
    if value is None:
        return now
    try:
        if not isinstance(value, str):
            raise ValueError
        return datetimes.parse(value, "UTC")
    except ValueError as error:
        raise Rejected("invalid", datetimes.EXPECTED, "occurred_at") from error


def not_ahead(occurred_at: datetime, now: datetime, ahead: timedelta) -> datetime:
    """The time of an event, at most the payer's now (`now` plus `ahead`), so that an accepted event counts at once in
    every figure that ends now. An event without a time has `now` itself. `Rejected` if it is over an hour ahead.
    """
    payers_now = now + ahead
    if occurred_at is now:
        return payers_now
    if occurred_at > payers_now + CLOCK_SKEW:
        raise Rejected("in_the_future", "More than an hour ahead.", "occurred_at")
    return min(occurred_at, payers_now)


def _hold(value: Any) -> UUID | None:
    if value is None:
        return None
    try:
        return identifiers.uuid_of(value if isinstance(value, str) else "", "hold_")
    except ValueError as error:
        raise Rejected("unknown_hold", "There is no such hold.", "hold") from error


def _properties(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Rejected("invalid", "Expected a JSON object.", "properties")
    if not jsonb.is_storable(value, PROPERTIES_DEPTH):
        detail = f"At most {PROPERTIES_DEPTH} deep, without NUL, lone surrogates, and numbers over 1,000 digits."
        raise Rejected("invalid", detail, "properties")
    return value
