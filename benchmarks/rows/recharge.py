"""What auto-recharge costs whoever doesn't recharge right now: postings and ingest with it on, against it off.

Both sides take short turns, and are compared by processor time: the difference is smaller than the noise of the clock.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import median

from benchmarks import load, processor, stage
from benchmarks.cast import Cast
from benchmarks.measure import Options, Row, compare
from benchmarks.processes import Crew, server
from benchmarks.rows import ingest

AGAINST = "the same with it off"
BOUND = 0.95
TURNS = 4  # of each side in a round

# As `recharge_settings.change` leaves it, for every payer. The threshold is never reached.
SETTINGS = """
INSERT INTO billing_autorecharge (organization_id, enabled, threshold, amount)
SELECT organization_id, true, 20, 50 FROM billing_ledgeraccount
"""
WOKEN = "UPDATE billing_ledgeraccount SET recharge_below = 20"


def measure_posting(cast: Cast, options: Options) -> Row:
    short = replace(options, seconds=options.seconds / TURNS)
    with (
        stage.database("recharging") as on,
        stage.database("posting") as off,
    ):
        switch_on(on)
        with (
            Crew("benchmarks.clients:spread", options.clients, database=on) as ours,
            Crew("benchmarks.clients:spread", options.clients, database=off) as theirs,
        ):
            sides = [
                Side(partial(crew.run, short.seconds), [process.pid for process in crew.processes], short)
                for crew in (ours, theirs)
            ]
            return _row("one posting with auto-recharge on", "postings", sides, options)


def measure_ingest(cast: Cast, options: Options) -> Row:
    short = replace(options, seconds=options.seconds / TURNS)
    with stage.database("recharging") as on, stage.database("ingest") as off:
        switch_on(on)
        with server(on) as ours, server(off) as theirs:
            sides = [Side(ingest.sender(cast, short, port, []), load.workers(port), short) for port in (ours, theirs)]
            return _row("usage events with auto-recharge on", "events", sides, options)


class Side:
    """One side of the comparison, by the clock and by the processor time of those who serve it and of PostgreSQL."""

    def __init__(self, run: Callable[[], float], pids: list[int], options: Options) -> None:
        with stage.connect("postgres") as connection:
            postmaster = processor.parent(connection.info.backend_pid)
        self.run, self.seconds, self.roots = run, options.seconds, [*pids, postmaster]
        self.rates: list[float] = []

    def turn(self) -> float:
        """Units a second of processor time."""
        before = processor.used(self.roots)
        self.rates.append(self.run())
        return self.rates[-1] * self.seconds / (processor.used(self.roots) - before)


def _row(what: str, unit: str, sides: list[Side], options: Options) -> Row:
    ours, theirs = sides
    pair = compare(ours.turn, theirs.turn, options.rounds, times=TURNS)
    clock = median(mine / other for mine, other in zip(ours.rates, theirs.rates, strict=True))
    note = f"by the clock {clock:.2f} ×, the median of {len(ours.rates)} turns"
    return Row(what, AGAINST, BOUND, unit=f"{unit}/s of processor", note=note, **pair.columns)


def switch_on(database: str) -> None:
    with stage.connect(database) as connection:
        connection.execute(SETTINGS)
        connection.execute(WOKEN)
        connection.execute("VACUUM ANALYZE billing_ledgeraccount")
