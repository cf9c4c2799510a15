"""Refusals that a caller can act on. Each carries its HTTP status and a stable code; `config.api.errors` renders them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


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


class InvalidField(Problem):
    """One field has a value that can't be accepted; no field is the whole body."""

    code = "invalid"

    def __init__(self, field: str, detail: str) -> None:
        pointer = f"/{field}" if field else ""
        super().__init__("Some fields are not valid.", errors=[{"pointer": pointer, "detail": detail}])


class NotFound(Problem):
    """There is no such thing, or none that this credential may see."""

    status = 404
    code = "not_found"
    detail = "There is no such object."


class Forbidden(Problem):
    """The credential is good, but may not do this."""

    status = 403
    code = "forbidden"
    detail = "This credential may not do that."


class InvalidSignIn(Problem):
    """The email and the password don't belong together."""

    status = 401
    code = "invalid_sign_in"
    detail = "No active account has this email and password."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class InvalidRefreshToken(Problem):
    """The refresh token is unknown, expired, revoked or used already."""

    status = 401
    code = "invalid_refresh_token"
    detail = "The refresh token is not valid. Sign in again."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class RefreshRace(Problem):
    """Two refreshes of one token met; the other one won and has the new tokens."""

    status = 409
    code = "refresh_race"
    detail = "Another request refreshed this token at the same moment. Use the tokens that it received."


class IdempotencyKeyInvalid(Problem):
    """The Idempotency-Key header is not 1 to 255 printable characters."""

    code = "idempotency_key_invalid"
    detail = "Idempotency-Key must be 1 to 255 printable ASCII characters."


class IdempotencyKeyReused(Problem):
    """The key was used before, with another request."""

    status = 422
    code = "idempotency_key_reused"
    detail = "This Idempotency-Key was used with another request."


class IdempotencyKeyInUse(Problem):
    """The first request with this key is still running."""

    status = 409
    code = "idempotency_key_in_use"
    detail = "A request with this Idempotency-Key is still running."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class TooManyRequests(Problem):
    """Too often, from one address or for one account."""

    status = 429
    code = "too_many_requests"
    detail = "Too many requests. Try again later."


class Conflict(Problem):
    """The state of things forbids it."""

    status = 409
    code = "conflict"


class Gone(Problem):
    """It was there, and its time is over."""

    status = 410
    code = "gone"
