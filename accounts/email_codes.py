"""Codes that are sent to an address, to prove that a person reads its mail.

All attempts that need the same proof of an address share a code, which changes every few minutes and is emailed once.
The code proves access to the mailbox, and the attempt's id says which attempt to finish. So a stranger who starts
attempts for somebody's address can't finish them. They can't use up the owner's emails either: the owner's own attempt
takes the code that is already in the mailbox.
"""

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.crypto import salted_hmac

from accounts import sign_in_limits
from accounts.lib import encryption
from accounts.lib.problems import Conflict, Problem, TooManyRequests
from accounts.models import EmailCode
from accounts.sign_in_limits import TooManyFailures

PURPOSE = "email code"
WINDOW = timedelta(seconds=150)  # in which an address has one code, and gets one email
WINDOWS = 4  # in which a code is accepted: so for 7 to 10 minutes
MINUTES = 7
KEPT = timedelta(hours=1)
ATTEMPTS_OF_A_NETWORK = 5  # in an hour, for one address
DIGITS = 8
# While strangers guess at the codes of an address from many networks, its emails carry a code that is too long to
# guess. That one is accepted at once, while guesses at a short one have to wait.
MANY_DIGITS = 16


class InvalidCode(Problem):
    """The code is wrong, was used, is too old, or is for another address."""

    code = "invalid_code"
    detail = "This code is not valid. Check it, or ask for a new one."

    def __init__(self) -> None:
        super().__init__(errors=[{"pointer": "/code", "detail": self.detail}])


class SeveralSignUps(Conflict):
    """Several sign-ups wait for the address, perhaps a stranger's with another password, and none was named."""

    code = "several_sign_ups"
    detail = "Several sign-ups wait for this address. Name yours: its id was in the answer 202."

    def __init__(self) -> None:
        super().__init__(errors=[{"pointer": "/sign_up", "detail": self.detail}])


def issue(
    purpose: str, email: str, data: Mapping[str, Any], *, network: str, now: datetime, again: bool = False
) -> tuple[EmailCode, str]:
    """A new attempt, and the code that the caller sends. It is empty if the address has it already, unless `again`."""
    attempts = EmailCode.objects.filter(purpose=purpose, email=email)
    if attempts.filter(network=network, created_at__gt=now - KEPT).count() >= ATTEMPTS_OF_A_NETWORK:
        wait = {"Retry-After": str(int(KEPT.total_seconds()))}
        raise TooManyRequests("Too many codes for this address in an hour. Try again later.", headers=wait)
    expires_at = _begin_of(_window(now) + WINDOWS)
    has_it = attempts.filter(expires_at=expires_at).exists()
    row = EmailCode(purpose=purpose, email=email, network=network, created_at=now, expires_at=expires_at)
    row.data = encryption.encrypt(json.dumps(data).encode(), purpose=PURPOSE)
    row.save(force_insert=True)
    digits = MANY_DIGITS if sign_in_limits.is_slow(_series(email), now) else DIGITS
    return row, "" if has_it and not again else _code(purpose, email, _window(now))[:digits]


def redeem(purpose: str, email: str, code: str, *, network: str, now: datetime, only: UUID | None = None) -> EmailCode:
    """The attempt that a code finishes, which is used up by that. `InvalidCode` if there is none.

    `only` is the attempt's id. Without it, the address must have no other attempt. A wrong code counts even if the
    caller's transaction is rolled back, so call this outside of one. Strangers' guesses delay the owner of the address,
    except in networks where the owner has signed in. The known networks of the person who enters the code don't matter:
    anybody can sign in to an account of their own from many.
    """
    digits = "".join(code.split())
    try:
        attempt = sign_in_limits.begin(_series(email), network, person=email, is_guessable=len(digits) < MANY_DIGITS)
    except TooManyFailures as error:
        raise error.problem from error
    if not _is_right(purpose, email, digits, now):
        raise InvalidCode
    attempts = EmailCode.objects.filter(purpose=purpose, email=email)
    if only is None and attempts.count() > 1:
        attempt.take_back()
        raise SeveralSignUps
    row = attempts.filter(expires_at__gt=now, **({} if only is None else {"pk": only})).first()
    if row is None or not attempts.filter(pk=row.pk).delete()[0]:
        raise InvalidCode
    attempt.take_back()
    return row


def data_of(row: EmailCode) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(encryption.decrypt(bytes(row.data), purpose=PURPOSE))
    return data


def _series(email: str) -> str:
    return f"code {email}"


def _is_right(purpose: str, email: str, digits: str, now: datetime) -> bool:
    codes = [_code(purpose, email, _window(now) - age) for age in range(WINDOWS)]
    return len(digits) in (DIGITS, MANY_DIGITS) and any(
        hmac.compare_digest(code[: len(digits)].encode(), digits.encode()) for code in codes
    )


def _window(moment: datetime) -> int:
    return int(moment.timestamp() // WINDOW.total_seconds())


def _begin_of(window: int) -> datetime:
    return datetime.fromtimestamp(window * WINDOW.total_seconds(), UTC)


def _code(purpose: str, email: str, window: int) -> str:
    """Of MANY_DIGITS digits. It is made from the SECRET_KEY, so it is nowhere in the database."""
    mac = salted_hmac("accounts.email_codes", f"{purpose}:{window}:{email}", algorithm="sha256").digest()
    return f"{int.from_bytes(mac) % 10**MANY_DIGITS:0{MANY_DIGITS}}"


def purge(now: datetime) -> int:
    return EmailCode.objects.filter(expires_at__lte=now - KEPT).delete()[0]
