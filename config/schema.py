"""The OpenAPI schema: common properties of all endpoints, which drf-spectacular can't find out by itself."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.permissions import AllowAny

from accounts import events, permissions
from accounts.api import lookups
from accounts.events.catalog import API_VERSION
from accounts.lib.money import QUANTUM
from accounts.lib.problems import CONTENT_TYPE
from apikeys.authentication import BasicAuthentication


class FieldErrorSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """An RFC 9457 problem document."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField()
    errors = FieldErrorSerializer(many=True, required=False)  # type: ignore[assignment]


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "apikeys.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key: sk_live_… or sk_test_…"}


class BasicScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "apikeys.authentication.BasicAuthentication"
    name = "basic"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "basic", "description": "An auth_id, and an API key as the auth_token"}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.authentication.TokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From POST /v1/auth/token"}


class NumberFieldExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A number with up to nine decimals. drf-spectacular calls it a `double`, which can't hold it."""

    target_class = "accounts.api.fields.NumberField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        field = self.target
        schema: dict[str, Any] = {
            "type": "number",
            "format": "decimal",
            "description": "Up to nine decimals, exact: read it as a decimal, not as a float.",
        }
        if field.min_value == QUANTUM:
            schema["exclusiveMinimum"] = 0
        elif field.min_value is not None:
            schema["minimum"] = int(field.min_value)
        if field.max_value is not None:
            schema["maximum"] = int(field.max_value)
        return schema


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="A retry with the same key and body gets the first response again.",
)
ERRORS = {
    400: "The request is malformed, a field is invalid, or a query parameter isn't one of this route",
    401: "The credential is missing or invalid",
    402: "Not enough credits, or over a budget; `available` is what is left",
    403: "The credential may not do this",
    404: "The object doesn't exist, or this credential may not see it",
    409: "The current state of the object doesn't allow this",
    410: "It has expired or was revoked",
    413: "The body is too large",
    415: "The Content-Type is not JSON",
    422: "The Idempotency-Key belongs to another request",
    429: "Too many requests",
    503: "The database or Redis is down; Retry-After says when to try again",
}


class Schema(AutoSchema):
    """Adds the errors that all endpoints share, and the Idempotency-Key of those that create or move something."""

    def get_override_parameters(self) -> list[Any]:
        parameters = [*super().get_override_parameters(), *([IDEMPOTENCY_KEY] if self._creates() else [])]
        return [*parameters, *([lookups.NAMED] if self._is_of_an_organization() else [])]

    def get_operation_id(self) -> str:
        """Where a route also takes any path beneath it, that operation has an id of its own."""
        name = str(super().get_operation_id()).removeprefix("v1_").replace(".", "_").strip("_")
        return f"{name}_beneath" if self.path.endswith("/{path}") else name

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in map(str, self._error_statuses()):
            if status not in bodies:
                answer = OpenApiResponse(ProblemSerializer, ERRORS[int(status)])
                bodies[status] = self._get_response_for_code(  # type: ignore[no-untyped-call]
                    answer, status, [CONTENT_TYPE], direction
                )
        return dict(sorted(bodies.items()))

    def get_tags(self) -> list[str]:
        """The part of the API, as the page of the schema groups it."""
        _, first, second, *_ = (*self.path.split("/"), "")
        if first != "v1":
            return ["account" if second == "account" else "auth"]
        return ["plivo" if second == "Account" else second]

    def get_summary(self) -> str | None:
        """The first line of the docstring."""
        summary: str | None = super().get_summary()
        return summary or self.get_description().partition("\n")[0] or None

    def _creates(self) -> bool:
        return self.method == "POST" and not self._is_open() and not self.path.endswith("/switch")

    def _is_of_an_organization(self) -> bool:
        """Plivo's own clients name it in the path."""
        is_plivo = BasicAuthentication in self.view.authentication_classes
        return not is_plivo and any(isinstance(each, permissions.HasScope) for each in self.view.get_permissions())

    def _is_open(self) -> bool:
        return any(isinstance(permission, AllowAny) for permission in self.view.get_permissions())

    def _error_statuses(self) -> list[int]:
        statuses = [400, 503]
        if not self._is_open():
            statuses += [401, 403, 429]
        if "{" in self.path or self._is_of_an_organization():
            statuses.append(404)
        if self.method in ("POST", "PUT", "PATCH"):
            statuses += [413, 415]
        if self._creates():
            statuses += [409, 422]
        if getattr(self.view, "limited_by_address", False):
            statuses.append(429)
        return sorted({*statuses, *self._declared_refusals()})

    def _declared_refusals(self) -> tuple[int, ...]:
        """The view's own `refusals`, by action or method."""
        declared: dict[str, tuple[int, ...]] = getattr(self.view, "refusals", {})
        return declared.get(getattr(self.view, "action", None) or self.method.lower(), ())


def add_event_types(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """The registry of event types, as the OpenAPI document's `webhooks`: what is POSTed to an endpoint for each."""
    return {**result, "webhooks": {type.name: {"post": _event(type)} for type in events.TYPES.values()}}


def _event(type: events.EventType) -> dict[str, Any]:
    text, nothing = {"type": "string"}, {"type": ["string", "null"]}
    properties = {
        "id": text,
        "type": {"const": type.name},
        "timestamp": {"type": "string", "format": "date-time"},
        "organization": text,
        "sequence": {"type": "integer"},
        "api_version": text,
        "actor": {"type": ["object", "null"], "properties": {"kind": text, "id": nothing}},
        "targets": {"type": "array", "items": text},
        "data": type.schema,
    }
    example = {
        "id": "evt_0199f0c2a1b27c3d8e4f5a6b7c8d9e0f",
        "type": type.name,
        "timestamp": "2026-11-22T22:11:03.809751Z",
        "organization": "acct_1b2c3d4e5f6g7h8i",
        "sequence": 42,
        "api_version": API_VERSION,
        "actor": events.SYSTEM.as_json(),
        "targets": [],
        "data": dict(type.example),
    }
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "operationId": type.name.replace(".", "_"),
        "summary": type.description,
        "x-audit-only": type.audit_only,
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}},
        "responses": {"2XX": {"description": "Any 2xx says that the event was received."}},
    }
