"""The gate's requests and answers as JSON. Calls are checked before any SQL, so an invalid one has no effect."""

from copy import deepcopy
from typing import Any

from rest_framework import serializers

from accounts.lib.problems import InvalidField, Problem
from billing.api.fields import AmountSerializerField
from usage.api.verify.fields import FIELDS
from usage.gate.query import Call
from usage.gate.verdict import BATCH_LIMIT, Code, Verdict

EXPECTED_OBJECT = "Expected a JSON object."
NO_CALL = Call("")


class InvalidCall(Problem):
    """Some fields have values that can't be accepted, and nothing was done."""

    code = "invalid"
    detail = "Some fields are not valid."


class VerifySerializer(serializers.Serializer[Any]):
    """A call to check."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {name: deepcopy(field.schema) for name, field in FIELDS.items()}


class VerdictSerializer(serializers.Serializer[Any]):
    valid = serializers.BooleanField()
    code = serializers.ChoiceField([code.value for code in Code])
    key_id = serializers.CharField(allow_null=True)
    organization = serializers.CharField(allow_null=True)
    permissions = serializers.ListField(child=serializers.CharField(), help_text="Those that the key has now")
    expires_at = serializers.DateTimeField(allow_null=True)
    cost = AmountSerializerField()
    available = AmountSerializerField(allow_null=True, help_text="The payer's, after the hold; null if not looked at")
    hold = serializers.CharField(required=False, allow_null=True, help_text="If the call has `hold_seconds`")


class VerifyBatchSerializer(serializers.Serializer[Any]):
    calls = serializers.ListField(child=VerifySerializer(), min_length=1, max_length=BATCH_LIMIT)


class VerdictsSerializer(serializers.Serializer[Any]):
    results = VerdictSerializer(many=True)


def read(body: Any) -> Call:
    """The call in a body; a 400 that names the fields that are wrong."""
    errors: list[dict[str, str]] = []
    call = _call(body, "", errors)
    _refuse(errors)
    return call


def read_all(body: Any) -> list[Call]:
    """The calls of a batch; a 400 that names each field of each call that is wrong."""
    if not isinstance(body, dict):
        raise InvalidField("", EXPECTED_OBJECT)
    batch = body.get("calls")
    if not isinstance(batch, list) or not 1 <= len(batch) <= BATCH_LIMIT:
        raise InvalidField("calls", f"Expected a list of 1 to {BATCH_LIMIT} calls.")
    errors: list[dict[str, str]] = []
    calls = [_call(members, f"/calls/{index}", errors) for index, members in enumerate(batch)]
    _refuse(errors)
    return calls


def body_of(call: Call, verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON; with `hold` if the call asked for one."""
    expires_at = verdict.expires_at.isoformat().replace("+00:00", "Z") if verdict.expires_at else None
    body = {
        "valid": verdict.code is Code.VALID,
        "code": verdict.code.value,
        "key_id": verdict.key_id,
        "organization": verdict.organization,
        "permissions": list(verdict.permissions),
        "expires_at": expires_at,
        "cost": verdict.cost,
        "available": verdict.available,
    }
    return body if call.hold_seconds is None else {**body, "hold": verdict.hold}


def _call(members: Any, pointer: str, errors: list[dict[str, str]]) -> Call:
    if not isinstance(members, dict):
        errors.append({"pointer": pointer, "detail": EXPECTED_OBJECT})
        return NO_CALL
    values: dict[str, Any] = {}
    for name, field in FIELDS.items():
        if name in members:
            try:
                values[name] = field.check(members[name])
            except ValueError as error:
                errors.append({"pointer": f"{pointer}/{name}", "detail": str(error)})
    if "key" not in members:
        errors.append({"pointer": f"{pointer}/key", "detail": "This field is required."})
    return NO_CALL if errors else Call(**values)


def _refuse(errors: list[dict[str, str]]) -> None:
    if errors:
        raise InvalidCall(errors=errors)
