"""Standard Webhooks, `v1`: https://www.standardwebhooks.com. The official libraries verify what this signs.

A secret is `whsec_` and the standard base64 of its key; URL-safe base64 breaks the official libraries.
"""

import base64
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from accounts.lib import encryption

Sealed = bytes | memoryview

PURPOSE = "webhook secret"
PREFIX = "whsec_"
KEY_BYTES = 24  # the specification allows 24 to 64; 24 need no padding


def make_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def seal(secret: str) -> bytes:
    """The secret as an endpoint keeps it."""
    return encryption.encrypt(secret.encode(), purpose=PURPOSE)


def live(sealed: Sealed, previous: Sealed | None, previous_until: datetime | None, now: datetime) -> tuple[str, ...]:
    """The secrets that sign now: the newest first, and during an overlap the one before it."""
    kept = [sealed, *([previous] if previous and previous_until and previous_until > now else [])]
    return tuple(encryption.decrypt(bytes(text), purpose=PURPOSE).decode() for text in kept)


def headers(id: str, timestamp: int, body: bytes, signed_by: Iterable[str]) -> dict[str, str]:
    """The three headers of one attempt. `timestamp` is in seconds; it is that of the attempt, since receivers refuse
    what is older than five minutes. During a rotation there is a signature by each live secret."""
    signed = f"{id}.{timestamp}.".encode() + body
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(secret, signed) for secret in signed_by),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()
