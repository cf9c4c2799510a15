"""The OpenAPI schema of Plivo's endpoints, with the examples of Plivo's reference."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from billing.api.plivo_objects import PlivoErrorSerializer

ACCOUNT = {
    "account_type": "standard",
    "address": "Wayne Enterprises Inc.",
    "api_id": "150892a0-922a-11e7-b6f4-061564b78b75",
    "auth_id": "MA2025RK4E639VJFZAGV",
    "auto_recharge": False,
    "billing_mode": "prepaid",
    "cash_credits": "1.80900",
    "city": "Gotham",
    "name": "Bruce Wayne",
    "resource_uri": "/v1/Account/MA2025RK4E639VJFZAGV/",
    "state": "NY",
    "timezone": "America/New_York",
}
ACCOUNT_EXAMPLE = OpenApiExample("Account", ACCOUNT, response_only=True, status_codes=["200"])
UPDATE_EXAMPLES = [
    OpenApiExample(
        "Update",
        {"name": "Lucius Fox", "city": "New York", "address": "Times Square"},
        request_only=True,
    ),
    OpenApiExample(
        "Changed",
        {"api_id": "02bbdbaa-9303-11e7-8bc8-065f6a74a84a", "message": "changed"},
        response_only=True,
        status_codes=["202"],
    ),
]
ACCOUNT_PATH = OpenApiParameter("auth_id", str, OpenApiParameter.PATH, pattern="^(MA|SA)[A-Z0-9]{18}$")
SUBACCOUNT_PATH = OpenApiParameter("subauth_id", str, OpenApiParameter.PATH, pattern="^SA[A-Z0-9]{18}$")

_DESCRIPTIONS = {
    400: "A parameter is missing or invalid",
    403: "The credential may not do this",
    404: "There is no such resource, or the credential may not see it",
    405: "No such method",
    409: "The resource's state does not allow this",
    413: "The body is too large",
    422: "The Idempotency-Key belongs to another request",
    429: "Too many requests",
}


def answers(success: dict[int, Any]) -> dict[Any, Any]:
    """The responses of an endpoint: the given ones, Plivo's errors, and the 401 in plain text."""
    errors = {code: OpenApiResponse(PlivoErrorSerializer, text) for code, text in _DESCRIPTIONS.items()}
    return {**success, **errors, (401, "text/plain"): OpenApiResponse(str, "The credentials are not valid")}
