"""When a key was last used. It is updated at most once a minute, and nobody waits for that: locked rows are skipped."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from accounts.lib import sql

STALE = "coalesce({key}.last_used_at <= {at} - interval '1 minute', true)"

# Skipping locked rows also prevents a deadlock between two batches that name the same keys in another order.
NOTE = """
UPDATE apikeys_apikey k SET last_used_at = used.at
  FROM (SELECT k.id, used.at
          FROM apikeys_apikey k JOIN unnest(%(keys)s::uuid[], %(moments)s::timestamptz[]) AS used(id, at) USING (id)
         WHERE {stale} FOR NO KEY UPDATE OF k SKIP LOCKED) used
 WHERE k.id = used.id
"""


def stale(*, key: str, at: str) -> str:
    """The SQL condition that a key's last use has to be updated at that time."""
    return sql.compose(STALE, key=key, at=at)


def note(uses: Mapping[UUID, datetime]) -> tuple[str, sql.Parameters]:
    """The statement that notes the last use of each key, and its parameters."""
    statement = sql.compose(NOTE, stale=stale(key="k", at="used.at"))
    return statement, {"keys": list(uses), "moments": list(uses.values())}
