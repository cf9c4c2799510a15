"""Stripe's error answers."""

from typing import Any


class ApiError(Exception):
    """`members` are further members of the error object, such as `payment_intent`."""

    def __init__(self, status: int, type: str, message: str, code: str = "", param: str = "", **members: Any) -> None:
        super().__init__(message)
        self.status = status
        named = {"type": type, "code": code, "message": message, "param": param, **members}
        self.body = {"error": {name: value for name, value in named.items() if value != ""}}


def invalid(message: str, code: str = "", param: str = "", **members: Any) -> ApiError:
    return ApiError(400, "invalid_request_error", message, code, param, **members)


def missing(kind: str, id: str, param: str = "id", status: int = 400) -> ApiError:
    return ApiError(status, "invalid_request_error", f"No such {kind}: '{id}'", "resource_missing", param)
