"""The gate's caller: a platform key."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings

from accounts.lib import sql
from apikeys import secrets
from usage.gate import sql as gate_sql

NO_DIGEST = b""
CALLERS_REMEMBERED = 100


@dataclass(frozen=True, slots=True)
class Caller:
    """The platform key that asks, and from where. `counted`: the request was counted in its own rate limit already."""

    secret: str
    address: str | None
    counted: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the gate's statements that describe the caller."""
        own = _of_caller(self.secret, tuple(settings.API_KEY_PEPPERS))
        return {"address": self.address, "counted": self.counted, **own}


def is_authorized(caller: Caller, scope: str, now: datetime) -> bool:
    """Whether the caller is a platform key with that scope, whose use was noted within this minute."""
    statement = gate_sql.caller(scope, len(settings.API_KEY_PEPPERS))
    return bool(sql.rows(statement, {**caller.parameters, "real_now": now}))


@lru_cache(CALLERS_REMEMBERED)
def _of_caller(secret: str, peppers: tuple[tuple[int, bytes], ...]) -> dict[str, bytes]:
    """The digests under these peppers. A few callers ask all the time."""
    return digests("caller", secret)


def digests(name: str, secret: str) -> dict[str, bytes]:
    """The digests of a secret under each pepper, as parameters: `{name}_0` onwards."""
    known_digests = secrets.digests(secret) or [NO_DIGEST] * len(settings.API_KEY_PEPPERS)
    return {f"{name}_{number}": digest for number, digest in enumerate(known_digests)}
