"""Files of JSON Lines that prove themselves: each line carries the digest of all before it, and the last one is signed.

    {"format": "tollgate-events/1", "organization": "acct_…", "first": 7, "previous": "…"}
    {"event": {…}, "digest": "…"}                  a row; what is sealed is the text of its first member
    {"sequence": 8, "line": "…", "digest": "…"}    a row that is left out: the SHA-256 of its text is enough
    {"signature": "…"}                             a JWS of the organization, `first`, `last`, `previous` and `digest`

`tollgate-client verify-events` checks them, and needs nothing but the published keys.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from accounts.lib import exact_json

START = bytes(32)  # before the first row
MEDIA_TYPE = "application/x-ndjson"

Sign = Callable[[Mapping[str, Any]], str]


def line_digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def chained(previous: bytes, digest: bytes) -> bytes:
    """The digest of a row and all before it, from the one before and that of the row's own text."""
    return hashlib.sha256(previous + digest).digest()


class File:
    """A file as it is written. `log` says what it is a part of: `events` or `ledger`.

    The company's own log has no organization.
    """

    def __init__(self, log: str, organization: str | None, first: int, previous: bytes) -> None:
        self.claims = {"log": log, "organization": organization, "first": first, "previous": previous.hex()}
        self.digest, self.last = previous, first - 1
        header = {"format": f"tollgate-{log}/1", "organization": organization, "first": first}
        self.lines = [exact_json.dumps({**header, "previous": previous.hex()})]

    def add(self, member: str, text: str, sealed: bytes | None = None, **more: Any) -> None:
        """A row, with what stands beside it. `sealed` is the digest that was kept when the row was written.

        The file has that one, even if it isn't what the text gives now: then it shows that the row was changed.
        """
        self._follow(line_digest(text), sealed)
        beside = exact_json.dumps({"digest": self.digest.hex(), **more})
        self.lines.append(f'{{"{member}": {text}, {beside[1:]}')

    def leave_out(self, text: str, sealed: bytes) -> None:
        digest = line_digest(text)
        self._follow(digest, sealed)
        row = {"sequence": self.last, "line": digest.hex(), "digest": self.digest.hex()}
        self.lines.append(exact_json.dumps(row))

    def _follow(self, digest: bytes, sealed: bytes | None) -> None:
        self.digest = sealed or chained(self.digest, digest)
        self.last += 1

    def signed(self, sign: Sign) -> bytes:
        signature = sign({**self.claims, "last": self.last, "digest": self.digest.hex()})
        return "\n".join([*self.lines, exact_json.dumps({"signature": signature}), ""]).encode()
