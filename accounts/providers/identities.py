"""The data with which a sign-in elsewhere begins and ends."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.lib import mailboxes
from accounts.providers.registry import Provider

LONGEST_SUBJECT = 255


@dataclass(frozen=True)
class Challenge:
    """Kept in the browser's session from the beginning of a sign-in to its end."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def make(cls) -> "Challenge":
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    @property
    def pkce(self) -> dict[str, str]:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return {"code_challenge": challenge, "code_challenge_method": "S256"}


@dataclass(frozen=True)
class Identity:
    """Who signed in at a provider. `email` is empty if there is none; `is_proved` says whether we believe it."""

    subject: str
    email: str = ""
    is_proved: bool = False
    name: str = ""


def make(provider: Provider, subject: Any, email: Any, *, is_verified: bool, name: Any) -> Identity:
    """From what a provider said, whatever its shape. `ValueError` if the subject is no text.

    An address that is not one counts as missing. It is proved if the provider says so, and its word counts for it.
    """
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise ValueError("no subject")
    normal = _address(email)
    text = "".join(letter for letter in name if letter.isprintable()) if isinstance(name, str) else ""
    return Identity(subject, normal, bool(normal) and is_verified and provider.proves(normal), text.strip()[:100])


def _address(email: Any) -> str:
    try:
        normal = mailboxes.normalize(email) if isinstance(email, str) and len(email) <= mailboxes.LONGEST else ""
        validate_email(normal)
    except (ValueError, ValidationError):
        return ""
    return normal if len(normal) <= mailboxes.LONGEST else ""
