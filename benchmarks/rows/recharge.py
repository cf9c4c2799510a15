"""What auto-recharge costs whoever doesn't recharge right now: postings and ingest with it on, against it off."""

from benchmarks import stage
from benchmarks.cast import Cast
from benchmarks.measure import Options, Row, compare
from benchmarks.processes import Crew, server
from benchmarks.rows import ingest

AGAINST = "the same with it off"
BOUND = 0.95

# As `recharge.change` leaves it, for every payer. The threshold is never reached.
SETTINGS = """
INSERT INTO billing_autorecharge (organization_id, enabled, threshold, amount)
SELECT organization_id, true, 20, 50 FROM billing_ledgeraccount
"""
WOKEN = "UPDATE billing_ledgeraccount SET recharge_below = 20"


def measure_posting(cast: Cast, options: Options) -> Row:
    with (
        stage.database("recharging") as on,
        stage.database("posting") as off,
    ):
        switch_on(on)
        with (
            Crew("benchmarks.clients:spread", options.clients, database=on) as ours,
            Crew("benchmarks.clients:spread", options.clients, database=off) as theirs,
        ):
            pair = compare(lambda: ours.run(options.seconds), lambda: theirs.run(options.seconds), options.rounds)
    return Row("one posting with auto-recharge on", AGAINST, BOUND, unit="postings/s", **pair.columns)


def measure_ingest(cast: Cast, options: Options) -> Row:
    shares: list[float] = []
    with stage.database("recharging") as on, stage.database("ingest") as off:
        switch_on(on)
        with server(on) as port_on, server(off) as port_off:
            ours, theirs = (ingest.sender(cast, options, port, shares) for port in (port_on, port_off))
            pair = compare(ours, theirs, options.rounds)
    return Row("usage events with auto-recharge on", AGAINST, BOUND, unit="events/s", **pair.columns)


def switch_on(database: str) -> None:
    with stage.connect(database) as connection:
        connection.execute(SETTINGS)
        connection.execute(WOKEN)
        connection.execute("VACUUM ANALYZE billing_ledgeraccount")
