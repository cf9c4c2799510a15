"""What the gate is asked and what it answers, as JSON. Calls are checked before any SQL: a bad one does nothing."""

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any

from rest_framework import serializers

from accounts.lib import numbers
from accounts.lib.money import LARGEST, ZERO
from accounts.lib.problems import InvalidField, Problem
from billing.api.fields import AmountSerializerField
from usage.gate.query import Call
from usage.gate.verdict import BATCH_LIMIT, LONGEST_HOLD_SECONDS, Code, Verdict


class InvalidCall(Problem):
    """Some fields have values that can't be accepted, and nothing was done."""

    code = "invalid"
    detail = "Some fields are not valid."


class VerifySerializer(serializers.Serializer[Any]):
    key = serializers.CharField(max_length=255, help_text="The secret that the customer presented")
    permission = serializers.CharField(max_length=100, required=False, allow_null=True)
    meter = serializers.CharField(max_length=50, required=False, allow_null=True)
    quantity = AmountSerializerField(required=False, default=Decimal(1), min_value=Decimal(0), max_value=LARGEST)
    ip = serializers.IPAddressField(required=False, allow_null=True, help_text="Where the customer's call came from")
    hold_seconds = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=LONGEST_HOLD_SECONDS, help_text="Hold the cost so long"
    )


class VerdictSerializer(serializers.Serializer[Any]):
    valid = serializers.BooleanField()
    code = serializers.ChoiceField([code.value for code in Code])
    key_id = serializers.CharField(allow_null=True)
    organization = serializers.CharField(allow_null=True)
    permissions = serializers.ListField(child=serializers.CharField(), help_text="Those that the key has now")
    expires_at = serializers.DateTimeField(allow_null=True)
    cost = AmountSerializerField()
    available = AmountSerializerField(allow_null=True, help_text="The payer's, after the hold; null if not looked at")
    hold = serializers.CharField(required=False, allow_null=True, help_text="Where one was asked for")


class VerifyBatchSerializer(serializers.Serializer[Any]):
    calls = serializers.ListField(child=VerifySerializer(), min_length=1, max_length=BATCH_LIMIT)


class VerdictsSerializer(serializers.Serializer[Any]):
    results = VerdictSerializer(many=True)


def read(body: Any) -> Call:
    """The call that a body asks about; a 400 that names the fields that are wrong."""
    errors: list[dict[str, str]] = []
    call = _call(body, "", errors)
    _refuse(errors)
    return call


def read_all(body: Any) -> list[Call]:
    """The calls of a batch; a 400 that names each field of each call that is wrong."""
    if not isinstance(body, dict):
        raise InvalidField("", "A JSON object is wanted.")
    said = body.get("calls")
    if not isinstance(said, list) or not 1 <= len(said) <= BATCH_LIMIT:
        raise InvalidField("calls", f"A list of 1 to {BATCH_LIMIT} calls.")
    errors: list[dict[str, str]] = []
    calls = [_call(one, f"/calls/{index}", errors) for index, one in enumerate(said)]
    _refuse(errors)
    return calls


def shown(call: Call, verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON has it; `hold` where the call asked for one."""
    expires_at = verdict.expires_at.isoformat().replace("+00:00", "Z") if verdict.expires_at else None
    answer = {
        "valid": verdict.code is Code.VALID,
        "code": verdict.code.value,
        "key_id": verdict.key_id,
        "organization": verdict.organization,
        "permissions": list(verdict.permissions),
        "expires_at": expires_at,
        "cost": verdict.cost,
        "available": verdict.available,
    }
    return answer if call.hold_seconds is None else {**answer, "hold": verdict.hold}


@lru_cache(maxsize=4096)
def address(text: str) -> str | None:
    """An address as PostgreSQL reads it; None where it is none. An IPv4 one in IPv6's clothes is IPv4."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Address(int(found)))
    return str(found)


def _call(said: Any, at: str, errors: list[dict[str, str]]) -> Call:
    if not isinstance(said, dict):
        errors.append({"pointer": at, "detail": "A JSON object is wanted."})
        return NO_CALL
    found: dict[str, Any] = {}
    for name, check in FIELDS.items():
        if name in said:
            try:
                found[name] = check(said[name])
            except ValueError as error:
                errors.append({"pointer": f"{at}/{name}", "detail": str(error)})
    if "key" not in said:
        errors.append({"pointer": f"{at}/key", "detail": "This field is required."})
    return NO_CALL if errors else Call(**found)


def _refuse(errors: list[dict[str, str]]) -> None:
    if errors:
        raise InvalidCall(errors=errors)


def _text(longest: int, *, required: bool = False) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        if value is None and not required:
            return None
        if not isinstance(value, str) or not 1 <= len(value) <= longest or "\0" in value or not _is_utf8(value):
            raise ValueError(f"A text of 1 to {longest} characters.")
        return value

    return check


def _is_utf8(text: str) -> bool:
    """Without lone halves of surrogate pairs, which JSON can escape and PostgreSQL can't store."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _quantity(value: Any) -> Decimal:
    return numbers.read(value, least=ZERO, most=LARGEST)


def _ip(value: Any) -> str | None:
    if value is None:
        return None
    found = address(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("A valid IPv4 or IPv6 address is required.")
    return found


def _hold_seconds(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= LONGEST_HOLD_SECONDS:
        raise ValueError(f"A whole number from 1 to {LONGEST_HOLD_SECONDS}.")
    return int(value)


NO_CALL = Call("")
FIELDS: dict[str, Callable[[Any], Any]] = {
    "key": _text(255, required=True),
    "permission": _text(100),
    "meter": _text(50),
    "quantity": _quantity,
    "ip": _ip,
    "hold_seconds": _hold_seconds,
}
