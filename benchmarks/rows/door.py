"""The gate through HTTP, compared with pgbench running the gate's own statement over as many connections."""

import json
from collections.abc import Iterator
from itertools import cycle
from statistics import median

from benchmarks import load, pgbench, processor, stage
from benchmarks.cast import PERMISSION, Cast
from benchmarks.measure import Options, Pair, Row, compare
from benchmarks.processes import server

CONNECTIONS = 8
METER = "requests"
RATIO, TAIL = 0.4, 5
# Both sides measure the short form: no key's use has to be noted meanwhile.
USED = "UPDATE apikeys_apikey SET last_used_at = now() + interval '1 day'"
# pgbench can't compute our digests, but these: each key gets a second secret, as while it is rotated.
SECRETS = """
INSERT INTO apikeys_apikeysecret (id, key_id, digest, pepper, hint, created_at)
SELECT uuidv7(), s.key_id, sha256(int4send((row_number() OVER ())::int)), s.pepper, '', now()
  FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id WHERE k.name = 'Benchmark'
"""
# The parameters that are the same for every call, in pgbench's syntax.
VALUES = {
    "caller_0": ":caller",
    "presented_0": "sha256(int4send(:key))",
    "counted": "false",
    "address": "'127.0.0.1'",
    "permission": f"'{PERMISSION}'",
    "holders": "NULL",
    "ip": "NULL",
    "meter": f"'{METER}'",
    "quantity": "1",
    "ahead": "NULL",
    "now": "now()",
    "real_now": "now()",
}


def measure(cast: Cast, options: Options) -> Iterator[Row]:
    from apikeys import secrets
    from usage.gate import sql as gate_sql

    variables = {"caller": f"\\x{secrets.digest(cast.platform).value.hex()}"}
    statement = pgbench.one_line(gate_sql.statement(gate_sql.Form(peppers=1)), VALUES)
    script = f"\\set key random(1, {len(cast.secrets)})\n{statement}"
    with stage.database("door") as database:
        with stage.connect(database) as connection:
            connection.execute(USED)
            connection.execute(SECRETS)
            connection.execute("VACUUM ANALYZE")

        def by_pgbench() -> float:
            return pgbench.run(
                script, database=database, clients=CONNECTIONS, seconds=options.seconds, variables=variables
            )

        with server(database) as port:
            for what, requests, answer in _doors(cast):
                side = Door(port, requests, answer, options.seconds)
                pair = compare(side.turn, by_pgbench, options.rounds)
                yield from _rows(what, side, pair)


def _doors(cast: Cast) -> Iterator[tuple[str, list[bytes], bytes]]:
    """Each way to ask, its requests, and what every answer must contain."""
    bodies = [json.dumps({"key": key, "permission": PERMISSION, "meter": METER}).encode() for key in cast.secrets]
    yield (
        "POST /v1/keys/verify",
        [load.request("POST", "/v1/keys/verify", cast.platform, body) for body in bodies],
        b'"VALID"',
    )
    authorizations = [
        load.request(
            "GET",
            "/v1/gate/authorize",
            cast.platform,
            headers=(f"X-Api-Key: {key}", f"X-Tollgate-Permission: {PERMISSION}", f"X-Tollgate-Meter: {METER}"),
        )
        for key in cast.secrets
    ]
    yield "GET /v1/gate/authorize", authorizations, b""


class Door:
    """One way to ask the gate, over CONNECTIONS connections."""

    def __init__(self, port: int, requests: list[bytes], answer: bytes, seconds: float) -> None:
        self.port, self.requests, self.answer, self.seconds = port, cycle(requests), answer, seconds
        self.workers = load.workers(port)
        self.outcomes: list[load.Outcome] = []
        self.processor: list[float] = []

    def turn(self) -> float:
        with load.connections(self.port, CONNECTIONS) as connections:
            before = processor.used(self.workers)
            outcome = load.run(connections, self.requests, self.seconds, self.answer)
            self.processor.append((processor.used(self.workers) - before) / len(outcome.times))
        self.outcomes.append(outcome)
        return outcome.rate


def _rows(what: str, door: Door, pair: Pair) -> Iterator[Row]:
    """The rate, and the 99th percentile of the times against their median."""
    used = median(door.processor)
    share = max(outcome.share for outcome in door.outcomes)
    note = (
        f"{CONNECTIONS} connections; {1e6 * used:,.0f} µs of the web workers a request; "
        f"the client took {share:.0%} of a core"
    )
    against = f"pgbench, the gate's statement, as many connections ({CONNECTIONS})"
    yield Row(what, against, RATIO, unit="requests/s", note=note, **pair.columns)
    yield _tail(what, door.outcomes[1:])  # the first was a warm-up


def _tail(what: str, outcomes: list[load.Outcome]) -> Row:
    ratios = sorted(outcome.tail / outcome.median for outcome in outcomes)
    return Row(
        f"{what}: the 99th percentile",
        f"the median, {CONNECTIONS} connections",
        TAIL,
        at_most=True,
        unit="ms",
        figure=1000 * median(outcome.tail for outcome in outcomes),
        limit=1000 * median(outcome.median for outcome in outcomes),
        ratio=median(ratios),
        spread=(ratios[0], ratios[-1]),
    )
