"""Rebuilding the rollups from all events, compared with one GROUP BY over the same events."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from benchmarks.cast import Cast
from benchmarks.measure import Options, Row, compare
from benchmarks.processes import Crew
from benchmarks.rows.reading import filled

ROUNDS = 3

# Without the outer sums, PostgreSQL would skip aggregates that nobody reads.
GROUP = """
SELECT count(*), sum(requests), sum(failed), sum(quantity), sum(credits) FROM (
    SELECT organization_id, account_id, date_bin('15 min', occurred_at, '2000-01-01Z'), meter_id, key_id, environment,
           endpoint, count(*) AS requests, count(*) FILTER (WHERE failed) AS failed, sum(quantity) AS quantity,
           sum(credits) AS credits
      FROM usage_event GROUP BY 1, 2, 3, 4, 5, 6, 7) rollups
"""


def rebuild(number: int) -> Callable[[], int]:
    """Client process: rebuild the rollups as Tollgate does."""
    verb = import_module("usage.storage.rebuild").rebuild

    def once() -> int:
        verb()
        return 1

    return once


def group(number: int) -> Callable[[], int]:
    """Client process: run the GROUP BY."""
    from django.db import connection

    def once() -> int:
        with connection.cursor() as cursor:
            cursor.execute(GROUP)
            assert cursor.fetchone()[0]
        return 1

    return once


def measure(cast: Cast, options: Options) -> Row:
    what, against = f"rollups rebuilt from {options.events:,} events", "one SQL GROUP BY over the same"
    if find_spec("usage.storage.rebuild") is None:
        return Row(what, against, 1.5, at_most=True, note="there is no usage.storage.rebuild.rebuild yet")
    database = filled(cast, options.events)
    with (
        Crew(f"{__name__}:rebuild", 1, database=database) as ours,
        Crew(f"{__name__}:group", 1, database=database) as theirs,
    ):
        pair = compare(ours.once, theirs.once, min(ROUNDS, options.rounds))
    return Row(what, against, 1.5, at_most=True, unit="s", **pair.columns)
