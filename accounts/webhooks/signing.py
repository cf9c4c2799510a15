"""Standard Webhooks, `v1`: https://www.standardwebhooks.com. The official libraries verify what this signs.

A secret is `whsec_` and the standard base64 of its key; URL-safe base64 breaks the official libraries.
"""

import base64
import hmac
import secrets
from collections.abc import Iterable
from hashlib import sha256

PREFIX = "whsec_"
KEY_BYTES = 24  # the specification allows 24 to 64; 24 need no padding


def make_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


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
