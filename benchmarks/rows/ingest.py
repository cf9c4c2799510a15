"""Usage events through HTTP in batches of 1,000, against COPY of the same rows, by as many connections."""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

from benchmarks import load, stage
from benchmarks.cast import Cast
from benchmarks.measure import Options, Row, compare
from benchmarks.processes import Crew, server

BATCH = 1000
PAYERS = 10
CONNECTIONS = 2
ACCEPTED = b'"duplicate": 0, "rejected": 0'
_numbers = count()

PLAIN = "CREATE TABLE bench_event (LIKE usage_event)"


def event(key: str) -> dict[str, object]:
    number = next(_numbers)
    about = {"key_id": key, "meter": "requests", "endpoint": f"/v1/things/{number % 20}", "status": 200}
    return {"id": f"{os.getpid()}-{number}", **about, "occurred_at": datetime.now(UTC).isoformat()}


def batches(cast: Cast, number: int) -> list[bytes]:
    """So many requests of new events, of several payers in turn."""
    keys = cast.keys[:PAYERS]
    bodies = [json.dumps({"events": [event(keys[n % PAYERS]) for n in range(BATCH)]}).encode() for _ in range(number)]
    return [load.request("POST", "/v1/usage/events", cast.platform, body) for body in bodies]


def copy(number: int) -> Callable[[], int]:
    """Client process: one COPY of 1,000 rows as Tollgate stored them, and its commit."""
    from django.db import connection
    from psycopg.types.json import Jsonb

    connection.ensure_connection()
    raw = connection.connection
    found = raw.execute("SELECT * FROM usage_event LIMIT %s", [BATCH])
    names = [column.name for column in found.description]
    rows = [[Jsonb(value) if isinstance(value, dict) else value for value in row] for row in found.fetchall()]
    assert len(rows) == BATCH
    statement = f"COPY bench_event ({', '.join(names)}) FROM STDIN"

    def once() -> int:
        with raw.cursor() as cursor, cursor.copy(statement) as into:
            for row in rows:
                into.write_row(row)
        return BATCH

    return once


def measure(cast: Cast, options: Options) -> Row:
    pace, shares = 1000.0, []

    def ours() -> float:
        """As many batches as take about the time of a round, made before the clock starts."""
        nonlocal pace
        requests = batches(cast, max(int(pace * options.seconds), 2 * CONNECTIONS))
        with load.connections(port, CONNECTIONS) as both:
            outcome = load.run(both, iter(requests), options.seconds, ACCEPTED)
        pace = outcome.rate * 1.2
        shares.append(outcome.share)
        return outcome.rate * BATCH

    with stage.database("ingest") as database:
        with stage.connect(database) as connection:
            connection.execute(PLAIN)
        with server(database) as port:
            pace = _pace(cast, port)
            with Crew(f"{__name__}:copy", CONNECTIONS, database=database) as theirs:
                pair = compare(ours, lambda: theirs.run(options.seconds), options.rounds)
    note = f"the client took {max(shares):.0%} of a core"
    against = f"COPY of the same rows by psycopg's write_row, as many connections ({CONNECTIONS})"
    what = "usage events through HTTP in batches of 1,000"
    return Row(what, against, 0.4, unit="events/s", note=note, **pair.found)


def _pace(cast: Cast, port: int) -> float:
    """Batches a second, roughly."""
    with load.connections(port, 1) as one:
        start = time.perf_counter()
        for data in batches(cast, 5):
            one[0].ask(data)
        return 5 * CONNECTIONS / (time.perf_counter() - start)
