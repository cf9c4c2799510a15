"""What the Account API answers, with 10,000,000 events behind it and with 10,000: two databases, two servers."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median
from time import perf_counter
from urllib.parse import quote
from uuid import UUID

from benchmarks import filling, load, stage
from benchmarks.cast import Cast
from benchmarks.measure import Options, Row, compare
from benchmarks.processes import server

FEW = 10_000
ASKED = 40  # requests a round and side
BOUND = 1.3


def paths(events: int) -> dict[str, str]:
    start, end = filling.month(datetime.now(UTC))
    odd = timedelta(minutes=7, seconds=13)
    page = events // filling.PER_ENTRY // 2
    return {
        "/auth/account/usage": _span(start, end),
        "/auth/account/usage, not on quarter hours": _span(start + odd, end - odd),
        "/auth/account/credits": "/auth/account/credits",
        "/auth/account/ledger": "/auth/account/ledger?limit=50",
        "/auth/account/ledger, in its middle": f"/auth/account/ledger?limit=50&offset={page}",
    }


def _span(start: datetime, end: datetime) -> str:
    return f"/auth/account/usage?from={quote(start.isoformat())}&to={quote(end.isoformat())}"


@contextmanager
def filled(cast: Cast, name: str, events: int) -> Iterator[str]:
    """A database with so many events of the reader's."""
    with stage.database(name) as database:
        began = perf_counter()
        with stage.connect(database) as connection:
            reader = {"organization": UUID(cast.reader["organization"]), "key": UUID(cast.reader["key"])}
            filling.fill(connection, **reader, events=events, now=datetime.now(UTC))
        stage.say(f"  {events:,} events filled in, {perf_counter() - began:.0f} s")
        yield database


def measure(cast: Cast, options: Options) -> Iterator[Row]:
    with ExitStack() as stack:
        ports = {}
        for name, events in (("few", FEW), ("many", options.events)):
            database = stack.enter_context(filled(cast, name, events))
            ports[events] = stack.enter_context(server(database))
        for what in paths(0):
            yield _measure(cast, options, what, ports)


def _measure(cast: Cast, options: Options, what: str, ports: dict[int, int]) -> Row:
    def ask(events: int) -> float:
        """The median, in milliseconds."""
        data = load.request("GET", paths(events)[what], cast.reader["secret"])
        times = []
        with load.connections(ports[events], 1) as (one,):
            for _ in range(ASKED):
                began = perf_counter()
                _check(what, one.ask(data), events)
                times.append(perf_counter() - began)
        return 1000 * median(times)

    pair = compare(lambda: ask(options.events), lambda: ask(FEW), options.rounds)
    what = f"{what}, at {options.events:,} events"
    return Row(what, f"at {FEW:,} events", BOUND, at_most=True, unit="ms", **pair.found)


def _check(what: str, body: bytes, events: int) -> None:
    answer = json.loads(body)
    if what == "/auth/account/usage" and answer["total_requests"] != events:
        raise RuntimeError(f"{answer['total_requests']} requests, not {events}")
    if "ledger" in what and events >= FEW and body.count(b'"amount"') != 50:
        raise RuntimeError(f"Not a whole page: {body[:300]!r}")
