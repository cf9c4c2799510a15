"""Refusals that a caller can act on. Each carries its HTTP status and a stable code; `config.api` renders them.

They are shown as the problem documents of RFC 9457.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

CONTENT_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    402: "Payment required",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length required",
    413: "Too large",
    414: "Address too long",
    415: "Unsupported media type",
    422: "Unprocessable",
    429: "Too many requests",
    431: "Headers too large",
    500: "Internal error",
    503: "Unavailable",
}


def document(
    status: int, code: str, detail: str, errors: Sequence[Mapping[str, str]] = (), **members: Any
) -> dict[str, Any]:
    """A problem document. `code` is stable; `detail` is for people."""
    body = {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail}
    return {**body, "code": code, **({"errors": list(errors)} if errors else {}), **members}


class Problem(Exception):
    """A refusal, rendered as an RFC 9457 problem document. `errors` names the fields: `[{pointer, detail}]`."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    detail: ClassVar[str] = "The request can't be understood."

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail or self.detail)
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.members = members

    @property
    def sentence(self) -> str:
        """What a page or a command says to a person: what is wrong with the fields, if it is about fields."""
        return " ".join(error["detail"] for error in self.errors) or str(self)


class InvalidField(Problem):
    """One field has a value that can't be accepted. An empty `field` means the whole body."""

    code = "invalid"

    def __init__(self, field: str, detail: str) -> None:
        pointer = f"/{field}" if field else ""
        super().__init__("Some fields are not valid.", errors=[{"pointer": pointer, "detail": detail}])


class InvalidFields(InvalidField):
    """Several fields that can't be accepted: each with its detail, so that all can be mended at once."""

    def __init__(self, refusals: Sequence[tuple[str, str]]) -> None:
        super().__init__(*refusals[0])
        self.errors = [error for field, detail in refusals for error in InvalidField(field, detail).errors]


class NotFound(Problem):
    """The object doesn't exist, or this credential may not see it."""

    status = 404
    code = "not_found"
    detail = "There is no such object."


class Forbidden(Problem):
    """The credential is good, but may not do this."""

    status = 403
    code = "forbidden"
    detail = "This credential may not do that."


class Conflict(Problem):
    """The present state of an object forbids it."""

    status = 409
    code = "conflict"


class Gone(Problem):
    """The object existed, but can't be used any more."""

    status = 410
    code = "gone"


class TooManyRequests(Problem):
    """Too many requests from one address or for one account."""

    status = 429
    code = "too_many_requests"
    detail = "Too many requests. Try again later."
