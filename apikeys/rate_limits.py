"""Rate limits of keys: a sliding window, counted and decided by the statement that asks.

It is made of two fixed windows: what is left of the one before counts in proportion. The counts are in a table without
a log, so counting waits for no disk, and a crash of PostgreSQL forgets them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from accounts.lib import sql
from apikeys.models import ApiKey

# Clocks differ and calls wait for each other, so that a call may come with a window that is over: it counts in the one
# that has begun. Numbers of windows of another length say nothing.
SAME = "x.seconds = excluded.seconds"
CURRENT = f"{SAME} AND x.win >= excluded.win"
BEFORE = f"CASE WHEN {CURRENT} THEN x.prev WHEN {SAME} AND x.win = excluded.win - 1 THEN x.n ELSE 0 END"

# Counts one more for each row of `limited` (id, rate_limit, window_seconds) that its limit allows, which is then in
# `counted`. The number of the window and the decision are made of the latest row, under its lock.
COUNTED = f"""
counted AS (
    INSERT INTO apikeys_ratewindow AS x (key_id, seconds, win, n, prev)
    SELECT id, window_seconds, floor(%(epoch)s::float8 / window_seconds), 1, 0 FROM limited
    ON CONFLICT (key_id) DO UPDATE
       SET seconds = excluded.seconds,
           win = CASE WHEN {CURRENT} THEN x.win ELSE excluded.win END,
           n = CASE WHEN {CURRENT} THEN x.n + 1 ELSE 1 END,
           prev = {BEFORE}
     WHERE CASE WHEN {CURRENT} THEN x.n ELSE 0 END
           + {BEFORE}
           * CASE WHEN {CURRENT} AND x.win > excluded.win THEN 1
                  ELSE 1 - (%(epoch)s::float8 - excluded.win * excluded.seconds) / excluded.seconds END
           < (SELECT rate_limit FROM limited WHERE id = excluded.key_id)
    RETURNING key_id, win, n, prev)
"""  # noqa: S608 (all are constants)

TAKE = f"""
WITH limited AS (
    SELECT id, rate_limit, rate_limit_window_seconds AS window_seconds FROM apikeys_apikey
     WHERE id = %(key)s AND rate_limit IS NOT NULL),
{COUNTED}
SELECT l.rate_limit, l.window_seconds, c.key_id IS NOT NULL, coalesce(c.win, x.win), coalesce(c.n, x.n),
       coalesce(c.prev, x.prev)
  FROM limited l LEFT JOIN counted c ON c.key_id = l.id
  LEFT JOIN apikeys_ratewindow x ON x.key_id = l.id AND x.seconds = l.window_seconds AND c.key_id IS NULL
"""  # noqa: S608 (both are constants)

# The rows have to be there to be locked. One that was never counted in is of a window of no length.
OPEN = """
INSERT INTO apikeys_ratewindow (key_id, seconds, win, n, prev)
SELECT id, 0, 0, 0, 0 FROM unnest(%(keys)s::uuid[]) AS id ORDER BY id ON CONFLICT DO NOTHING
"""
LOCK = "SELECT FROM apikeys_ratewindow WHERE key_id = ANY(%(keys)s::uuid[]) ORDER BY key_id FOR NO KEY UPDATE"


@dataclass(frozen=True)
class Limit:
    """At most `limit` in any `window` seconds, for `subject`. `policy` is its name in the headers."""

    policy: str
    subject: str
    limit: int
    window: int


@dataclass(frozen=True)
class Count:
    """What one request found: `current` in this fixed window with it, `before` in the last, `elapsed` of this one.

    `elapsed` is negative where the window was begun by a clock that is ahead.
    """

    limit: Limit
    allowed: bool
    current: int
    before: int
    elapsed: float

    @property
    def remaining(self) -> int:
        if not self.allowed:
            return 0
        left = min(1 - self.elapsed / self.limit.window, 1)
        return max(math.floor(self.limit.limit - self.current - self.before * left), 0)

    @property
    def resets_in(self) -> int:
        """Seconds to the end of the fixed window."""
        return max(math.ceil(self.limit.window - self.elapsed), 1)

    @property
    def retry_after(self) -> int:
        """Seconds until one more is allowed, if nothing else is asked meanwhile."""
        free = self.limit.limit - self.current
        if free <= 0:
            return self.resets_in + math.ceil(self.limit.window * (1 - self.limit.limit / max(self.current, 1)))
        share = 1 - free / max(self.before, 1)
        return max(math.ceil(share * self.limit.window - self.elapsed), 1)

    @property
    def headers(self) -> dict[str, str]:
        limit = self.limit
        return {
            "RateLimit-Policy": f'"{limit.policy}";q={limit.limit};w={limit.window}',
            "RateLimit": f'"{limit.policy}";r={self.remaining};t={self.resets_in}',
        }


def take(key: ApiKey, now: float) -> Count | None:
    """Count one more call of the key if its own limit allows it; None where it has none.

    Of any number at once, just as many pass as the limit says.
    """
    found = sql.rows(TAKE, {"key": key.pk, "epoch": now})
    return count(key.public_id, now, *found[0]) if found else None


def count(
    subject: str, now: float, limit: int, window: int, allowed: bool, win: int | None, n: int, before: int
) -> Count:
    """A row of `apikeys_ratewindow`, as it is to be read at `now`.

    It is None for a call that was refused by a row of which its snapshot knew nothing yet.
    """
    about, number = Limit("key", subject, limit, window), int(now // window)
    if win is None:
        return Count(about, allowed, limit, 0, now % window)
    if win >= number:
        return Count(about, allowed, n, before, now - win * window)
    return Count(about, allowed, 0, n if win == number - 1 else 0, now % window)


def lock(keys: Iterable[UUID]) -> None:
    """Lock the windows of those keys to the end of the transaction, in the order in which everybody does."""
    wanted = sorted(set(keys))
    if wanted:
        sql.rows(OPEN, {"keys": wanted})
        sql.rows(LOCK, {"keys": wanted})
