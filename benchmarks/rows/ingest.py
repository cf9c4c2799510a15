"""Usage events through HTTP in batches of 1,000, compared with COPY of the same rows over as many connections.

Each connection has its own payers, because batches of one payer wait for each other, while COPY waits for nothing.
"""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
    fields = {"key_id": key, "meter": "requests", "endpoint": f"/v1/things/{number % 20}", "status": 200}
    return {"id": f"{os.getpid()}-{number}", **fields, "occurred_at": datetime.now(UTC).isoformat()}


def batches(cast: Cast, number: int, share: int = 0) -> list[bytes]:
    """`number` requests with new events of ten payers: the first ten with share 0, the second ten with 1, and so on."""
    keys = cast.keys[share * PAYERS :][:PAYERS]
    bodies = [json.dumps({"events": [event(keys[n % PAYERS]) for n in range(BATCH)]}).encode() for _ in range(number)]
    return [load.request("POST", "/v1/usage/events", cast.platform, body) for body in bodies]


def copy(number: int) -> Callable[[], int]:
    """Client process: COPY 1,000 rows as Tollgate stored them, then commit."""
    from django.db import connection
    from psycopg.types.json import Jsonb

    connection.ensure_connection()
    raw = connection.connection
    cursor = raw.execute("SELECT * FROM usage_event LIMIT %s", [BATCH])
    names = [column.name for column in cursor.description]
    rows = [[Jsonb(value) if isinstance(value, dict) else value for value in row] for row in cursor.fetchall()]
    assert len(rows) == BATCH
    statement = f"COPY bench_event ({', '.join(names)}) FROM STDIN"

    def once() -> int:
        with raw.cursor() as cursor, cursor.copy(statement) as into:
            for row in rows:
                into.write_row(row)
        return BATCH

    return once


def sender(cast: Cast, options: Options, port: int, shares: list[float]) -> Callable[[], float]:
    """Sends new events to this server for one round; events a second. `shares` gets how busy the client was."""
    pace = _pace(cast, port)

    def send() -> float:
        """Makes enough batches for about one round, before the clock starts."""
        nonlocal pace
        number = max(int(pace * options.seconds / CONNECTIONS), 2)
        requests = [batches(cast, number, share) for share in range(CONNECTIONS)]

        def run(connection: load.Connection, mine: list[bytes]) -> load.Outcome:
            return load.run([connection], iter(mine), options.seconds, ACCEPTED)

        with load.connections(port, CONNECTIONS) as both, ThreadPoolExecutor(CONNECTIONS) as pool:
            outcomes = list(pool.map(run, both, requests))
        rate = sum(outcome.rate for outcome in outcomes)
        pace = rate * 1.2
        shares.append(max(outcome.share for outcome in outcomes))  # each is of the whole process
        return rate * BATCH

    return send


def measure(cast: Cast, options: Options) -> Row:
    shares: list[float] = []
    with stage.database("ingest") as database:
        with stage.connect(database) as connection:
            connection.execute(PLAIN)
        with server(database) as port:
            ours = sender(cast, options, port, shares)
            with Crew(f"{__name__}:copy", CONNECTIONS, database=database) as theirs:
                pair = compare(ours, lambda: theirs.run(options.seconds), options.rounds)
    note = f"{PAYERS} payers a connection, its own; the client took {max(shares):.0%} of a core"
    against = f"COPY of the same rows by psycopg's write_row, as many connections ({CONNECTIONS})"
    what = "usage events through HTTP in batches of 1,000"
    return Row(what, against, 0.4, unit="events/s", note=note, **pair.columns)


def _pace(cast: Cast, port: int) -> float:
    """Batches a second, roughly."""
    with load.connections(port, 1) as connections:
        start = time.perf_counter()
        for data in batches(cast, 5):
            connections[0].ask(data)
        return 5 * CONNECTIONS / (time.perf_counter() - start)
