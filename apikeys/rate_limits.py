"""Rate limits: at most `limit` calls in any `window` seconds, counted and decided by one statement.

Each subject has a row of the moments at which it called. Up to `EXACT` calls a window, every call has its own moment.
Above that, the window is divided into `EXACT` slots, and a call is dated at the end of its slot. So a call may count up
to one slot too long, and never too short, and a row has at most `EXACT` + 1 moments, whatever the limit.

The table is unlogged, so counting doesn't wait for the disk, and a crash of PostgreSQL loses the counts.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from psycopg.sql import Identifier, Literal

from accounts.lib import sql
from apikeys.models import ApiKey

EXACT = 64
LARGEST_RATE = 1_000_000
LONGEST_WINDOW_SECONDS = 86_400
LONGEST_WINDOW = timedelta(seconds=LONGEST_WINDOW_SECONDS)

# The moment that a call is dated at, in seconds since 1970.
MOMENT = sql.compose(
    """
CASE WHEN rate_limit > {exact} THEN ceil(%(epoch)s::float8 * {exact} / window_seconds) * window_seconds / {exact}
     ELSE %(epoch)s::float8 END
""",
    exact=Literal(EXACT),
)

# The calls in the row that are still in the window.
BEFORE = """
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), {limited}
 WHERE moment > %(epoch)s::float8 - window_seconds
"""

COUNTED = """
{counted} AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[{moment}], ARRAY[1] FROM {limited}
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM ({before} UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM ({before}) call) < (SELECT rate_limit FROM {limited})
    RETURNING subject, moments, calls)
"""


def counting(counted: str, limited: str) -> str:
    """A member of a WITH: counts one more call, if the limit allows it, of what is `limited`.

    That has at most one row (subject, rate_limit, window_seconds). PostgreSQL decides by the latest version of the row,
    under its lock. The clocks of servers differ and calls wait for each other: a call whose clock is behind is dated
    like the latest one.
    """
    names = {"counted": Identifier(counted), "limited": Identifier(limited)}
    return sql.compose(COUNTED, moment=MOMENT, before=sql.compose(BEFORE, limited=names["limited"]), **names)


# A call that was refused reads the row as it was when the statement began.
READ = """
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL
"""

# Whether as many calls of the subject are in the window as the limit allows, as the statement sees it when it begins.
FULL = """
(SELECT coalesce(sum(call.calls), 0) FROM apikeys_ratecount x, unnest(x.moments, x.calls) AS call(moment, calls)
  WHERE x.subject = {subject} AND call.moment > %(epoch)s::float8 - {window}) >= {limit}
"""

TAKE = sql.compose(
    """
WITH limited AS (
    SELECT %(subject)s::text AS subject, %(limit)s::int AS rate_limit, %(window)s::int AS window_seconds),
{counted}
SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true {read}
""",
    counted=counting("counted", "limited"),
    read=READ,
)

# The rows have to be there to be locked.
OPEN = """
INSERT INTO apikeys_ratecount (subject, moments, calls)
SELECT subject, '{}', '{}' FROM unnest(%(subjects)s::text[]) AS subject ORDER BY subject ON CONFLICT DO NOTHING
"""
LOCK = "SELECT FROM apikeys_ratecount WHERE subject = ANY(%(subjects)s::text[]) ORDER BY subject FOR NO KEY UPDATE"


# A row without a moment was just opened, to be locked.
PURGE = """
WITH gone AS (DELETE FROM apikeys_ratecount WHERE moments[cardinality(moments)] <= %(before)s::float8 RETURNING subject)
SELECT count(*) FROM gone
"""


@dataclass(frozen=True)
class Limit:
    """At most `limit` calls in any `window` seconds, of `subject`. `policy` is its name in the headers."""

    policy: str
    subject: str
    limit: int
    window: int


@dataclass(frozen=True)
class Count:
    """The result for a call: whether it was allowed, and the calls in the window up to `now`, including itself if it
    was.

    `calls` are moments, oldest first, and how many there were. Empty if the call was refused by a row that its
    snapshot did not see yet.
    """

    limit: Limit
    allowed: bool
    now: float
    calls: Sequence[tuple[float, int]]

    @property
    def remaining(self) -> int:
        return max(self.limit.limit - sum(calls for _, calls in self.calls), 0) if self.allowed else 0

    @property
    def resets_in(self) -> int:
        """Seconds until the oldest call leaves the window, so that one more is allowed than now."""
        return self._leaves_in(self.calls[0][0]) if self.calls else self.limit.window

    @property
    def retry_after(self) -> int:
        """Seconds until one more is allowed, if nothing else calls meanwhile."""
        left = sum(calls for _, calls in self.calls)
        for moment, calls in self.calls:
            left -= calls
            if left < self.limit.limit:
                return self._leaves_in(moment)
        return self.limit.window

    @property
    def headers(self) -> dict[str, str]:
        limit = self.limit
        return {
            "RateLimit-Policy": f'"{limit.policy}";q={limit.limit};w={limit.window}',
            "RateLimit": f'"{limit.policy}";r={self.remaining};t={self.resets_in}',
        }

    def _leaves_in(self, moment: float) -> int:
        return max(math.ceil(self.limit.window - (self.now - moment)), 1)


def headers(counts: Sequence[Count]) -> dict[str, str]:
    """The headers of several limits, each under its name."""
    each = [count.headers for count in counts]
    return {name: ", ".join(headers[name] for headers in each) for name in (each[0] if each else ())}


def retry_after(counts: Sequence[Count]) -> int:
    """Seconds until all of them allow one more."""
    return max((count.retry_after for count in counts if not count.allowed), default=1)


def of_key(key: ApiKey) -> Limit | None:
    """The key's own limit, if it has one."""
    if key.rate_limit is None or key.rate_limit_window_seconds is None:
        return None
    return Limit("key", str(key.pk), key.rate_limit, key.rate_limit_window_seconds)


def take(limit: Limit, now: float) -> Count:
    """Count one more call if the limit allows it. Of any number of concurrent calls, exactly as many pass as the limit
    allows.
    """
    parameters = {"subject": _row_of(limit), "limit": limit.limit, "window": limit.window, "epoch": now}
    [(allowed, moments, calls)] = sql.rows(TAKE, parameters)
    return count(limit, now, allowed, moments, calls)


def count(limit: Limit, now: float, allowed: bool, moments: list[float] | None, calls: list[int] | None) -> Count:
    """A row of `apikeys_ratecount` (None: there was none yet), as it is to be read at `now`."""
    both = zip(moments or (), calls or (), strict=True)
    return Count(limit, allowed, now, [(moment, calls) for moment, calls in both if moment > now - limit.window])


def lock(limits: Iterable[Limit]) -> None:
    """Lock their counts to the end of the transaction, in the order in which everybody does."""
    sql.require_transaction()
    subjects = sorted({_row_of(limit) for limit in limits})
    if subjects:
        sql.rows(OPEN, {"subjects": subjects})
        sql.rows(LOCK, {"subjects": subjects})


def purge(now: float) -> int:
    """Delete counts that are older than the longest possible window. Returns how many were deleted."""
    [(purged,)] = sql.rows(PURGE, {"before": now - LONGEST_WINDOW.total_seconds()})
    return int(purged)


def _row_of(limit: Limit) -> str:
    return f"{limit.policy}:{limit.subject}"
