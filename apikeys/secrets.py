"""The text of an API key: `sk_live_` or `sk_test_`, 32 random base62 characters, and 6 of checksum.

The checksum is a CRC-32 of everything before it. It adds no security: with it a scanner, or we, can tell a mistyped
key from a real one. We store an HMAC-SHA256 under a pepper. So a copy of the database doesn't reveal keys, and
replacing SECRET_KEY doesn't break them.

A key of another system has another form, and comes as the SHA-256 of its secret. What we store of such a key is the
HMAC of that hash. It can be computed when the key is imported, so the hash itself is never stored.
"""

import hashlib
import hmac
import re
import zlib
from dataclasses import dataclass

from django.conf import settings

from accounts.lib.identifiers import BASE62, random_text

RANDOM_LENGTH = 32
CHECKSUM_LENGTH = 6
PAIRS = [first + second for first in BASE62 for second in BASE62]
PATTERN = re.compile(r"sk_(?:live|test)_[0-9A-Za-z]{38}")
FOREIGN = re.compile(r"[!-~]{1,255}")  # printable ASCII without spaces
LONGEST_HINT = 20


@dataclass(frozen=True)
class Digest:
    value: bytes
    pepper: int


def generate(environment: str) -> str:
    """A new secret for `live` or `test`."""
    body = f"sk_{environment}_{random_text(BASE62, RANDOM_LENGTH)}"
    return body + checksum(body)


def checksum(body: str) -> str:
    """CRC-32 in six base62 digits, of which two at a time are looked up."""
    rest, last = divmod(zlib.crc32(body.encode()), len(PAIRS))
    first, middle = divmod(rest, len(PAIRS))
    return PAIRS[first] + PAIRS[middle] + PAIRS[last]


def is_well_formed(secret: str) -> bool:
    return bool(PATTERN.fullmatch(secret)) and checksum(secret[:-CHECKSUM_LENGTH]) == secret[-CHECKSUM_LENGTH:]


def digest(secret: str) -> Digest:
    """The digest under the newest pepper, under which new keys are stored."""
    return _newest(_message(secret))


def digest_of_hash(sha256: bytes) -> Digest:
    """As `digest`, of a secret in another form than ours, by its SHA-256."""
    return _newest(sha256)


def digests(secret: str) -> list[bytes]:
    """The digests under each pepper, newest first, to look up a presented key by. Empty if it can't be a key."""
    if not FOREIGN.fullmatch(secret):
        return []
    message = _message(secret)
    return [_hmac(pepper, message) for _, pepper in settings.API_KEY_PEPPERS]


def hint(secret: str) -> str:
    """What we may show of a secret: its prefix and its last four characters."""
    return f"{secret[:12]}…{secret[-4:]}"


def _message(secret: str) -> bytes:
    return secret.encode() if is_well_formed(secret) else hashlib.sha256(secret.encode()).digest()


def _newest(message: bytes) -> Digest:
    number, pepper = settings.API_KEY_PEPPERS[0]
    return Digest(_hmac(pepper, message), number)


def _hmac(pepper: bytes, message: bytes) -> bytes:
    return hmac.digest(pepper, message, "sha256")
