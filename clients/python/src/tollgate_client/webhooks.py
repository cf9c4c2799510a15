"""Checks that a webhook comes from Tollgate: Standard Webhooks, signatures of version 1."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tollgate_client.errors import TollgateError

TOLERANCE = 300  # seconds that a clock may differ
PREFIX = "whsec_"


class NotSigned(TollgateError):
    """The request isn't from Tollgate, or is too old. Answer it with 400."""


def verify_webhook(
    body: bytes | str, headers: Mapping[str, str], secrets: str | Sequence[str], *, now: float | None = None
) -> dict[str, Any]:
    """The event of a webhook, once its signature is checked. Raises `NotSigned`.

    `body` is exactly what arrived, not parsed and written again. During a rotation, give both secrets. `now` is a Unix
    time.
    """
    content = body.encode() if isinstance(body, str) else body
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        identity, timestamp, signatures = (lower[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as missing:
        raise NotSigned(f"{missing} is missing") from None
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise NotSigned("webhook-timestamp is no number of seconds")
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE:
        raise NotSigned("the timestamp is not of now")
    message = f"{identity}.{timestamp}.".encode() + content
    expected = [_sign(secret, message) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    presented = [_decode(part[3:]) for part in signatures.split(" ") if part.startswith("v1,")]
    if not any(hmac.compare_digest(signature, digest) for signature in presented for digest in expected):
        raise NotSigned("no signature fits")
    event: dict[str, Any] = json.loads(content)
    return event


def _sign(secret: str, message: bytes) -> bytes:
    return hmac.new(base64.b64decode(secret.removeprefix(PREFIX)), message, hashlib.sha256).digest()


def _decode(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return b""
