"""The refusals of sign-ins and of idempotency keys. The general ones are in `accounts.lib.problems`."""

from datetime import datetime

from accounts.lib.problems import Conflict, Problem


class InvalidSignIn(Problem):
    """The email and the password don't belong together."""

    status = 401
    code = "invalid_sign_in"
    detail = "No active account has this email and password."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class TwoFactorRequired(Problem):
    """The password is right, and a second factor is needed. `challenge` goes back with its code.

    A program can't answer with a passkey: `browser_url` is the page where the person makes the tokens instead.
    """

    status = 401
    code = "two_factor_required"
    detail = "Send this challenge with a code of your second factor."

    def __init__(self, challenge: str, methods: list[str], expires_at: datetime, browser_url: str) -> None:
        super().__init__(
            headers={"WWW-Authenticate": "Bearer"},
            challenge=challenge,
            methods=methods,
            expires_at=expires_at,
            browser_url=browser_url,
        )


class InvalidChallenge(Problem):
    """The challenge was used, is too old, or never was one."""

    status = 401
    code = "invalid_challenge"
    detail = "The challenge is not valid any more. Start with email and password."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class InvalidSecondFactor(Problem):
    """The code is wrong, or was used before."""

    status = 401
    code = "invalid_second_factor"
    detail = "This is not a valid code of your second factor."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class InvalidRefreshToken(Problem):
    """The refresh token is unknown, expired, revoked or already used."""

    status = 401
    code = "invalid_refresh_token"
    detail = "The refresh token is not valid. Sign in again."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class RefreshRace(Conflict):
    """Two requests refreshed the same token at once. The other one won and has the new tokens."""

    code = "refresh_race"
    detail = "Another request refreshed this token at the same moment. Use the tokens that it received."


class IdempotencyKeyInvalid(Problem):
    """The Idempotency-Key header is not 1 to 255 printable characters."""

    code = "idempotency_key_invalid"
    detail = "Idempotency-Key must be 1 to 255 printable ASCII characters."


class IdempotencyKeyReused(Problem):
    """The key was used before with another request."""

    status = 422
    code = "idempotency_key_reused"
    detail = "This Idempotency-Key was used with another request."


class IdempotencyKeyInUse(Conflict):
    """The first request with this key is still running."""

    code = "idempotency_key_in_use"
    detail = "A request with this Idempotency-Key is still running."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})
