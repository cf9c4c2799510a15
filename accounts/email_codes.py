"""Codes that are sent to an address, to prove that a person reads its mail.

An address may have several codes at once, each with what it is for, so that a stranger who asks for one takes nothing
from the owner's. Wrong codes are limited as wrong passwords are.
"""

import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.crypto import salted_hmac

from accounts import sign_in_limits
from accounts.lib import encryption, identifiers
from accounts.lib.problems import Problem
from accounts.models import EmailCode
from accounts.sign_in_limits import TooManyFailures

PURPOSE = "email code"
LIFETIME = timedelta(minutes=10)
KEPT = timedelta(hours=1)  # to count how many an address got
EMAILS_AN_HOUR = 10
DIGITS = 8


class InvalidCode(Problem):
    """The code is wrong, was used, is too old, or is for another address."""

    code = "invalid_code"
    detail = "This code is not valid. Check it, or ask for a new one."

    def __init__(self) -> None:
        super().__init__(errors=[{"pointer": "/code", "detail": self.detail}])


def issue(purpose: str, email: str, data: Mapping[str, Any], now: datetime) -> tuple[EmailCode, str]:
    """A new code, which the caller sends.

    It is empty if the address got as many in this hour as we send. Such a row has no code at all: a guess is compared
    with all rows of an address, so unsent codes would make it as likely as a stranger likes.
    """
    is_flooded = EmailCode.objects.filter(email=email, created_at__gt=now - KEPT).count() >= EMAILS_AN_HOUR
    code = "" if is_flooded else identifiers.random_text("0123456789", DIGITS)
    row = EmailCode(purpose=purpose, email=email, created_at=now, expires_at=now + LIFETIME)
    row.data = encryption.encrypt(json.dumps(data).encode(), purpose=PURPOSE)
    row.digest = _digest(row, code) if code else b""
    row.save(force_insert=True)
    return row, code


def redeem(purpose: str, email: str, code: str, *, network: str, now: datetime, only: UUID | None = None) -> EmailCode:
    """The row of a code that is typed in, which is used up by that. `InvalidCode` if there is none.

    `only` is the row that the person started, where we know it. A wrong code counts even if the caller's transaction
    is rolled back, so call this outside of one.
    """
    try:
        attempt = sign_in_limits.begin(f"code {email}", network)
    except TooManyFailures as error:
        raise error.problem from error
    rows = EmailCode.objects.filter(purpose=purpose, email=email, expires_at__gt=now)
    digits = "".join(code.split())
    for row in rows if only is None else rows.filter(pk=only):
        if hmac.compare_digest(bytes(row.digest), _digest(row, digits)) and rows.filter(pk=row.pk).delete()[0]:
            attempt.take_back()
            return row
    raise InvalidCode


def data_of(row: EmailCode) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(encryption.decrypt(bytes(row.data), purpose=PURPOSE))
    return data


def _digest(row: EmailCode, code: str) -> bytes:
    return salted_hmac("accounts.email_codes", f"{row.pk.hex}:{code}", algorithm="sha256").digest()


def purge(now: datetime) -> int:
    return EmailCode.objects.filter(expires_at__lte=now - KEPT).delete()[0]
