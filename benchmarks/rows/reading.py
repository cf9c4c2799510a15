"""Response times of the Account API with 10,000,000 events and with 10,000, on two databases and two servers."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from time import perf_counter
from urllib.parse import quote
from uuid import UUID

from benchmarks import filling, load, stage
from benchmarks.cast import Cast
from benchmarks.measure import Options, Row, compare
from benchmarks.processes import Crew, server

FEW = 10_000
ASKED = 40  # requests per round and side
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


def filled(cast: Cast, events: int) -> str:
    """A database with this many events of the reader. It is made once a run, and `check_ledger` passes on it."""
    name = f"month-{events}"
    if name in stage.databases():
        return name
    stage.create(name)
    began = perf_counter()
    with stage.connect(name) as connection:
        reader = {"organization": UUID(cast.reader["organization"]), "key": UUID(cast.reader["key"])}
        filling.fill(connection, **reader, events=events, now=datetime.now(UTC))
    took = perf_counter() - began
    with Crew(f"{__name__}:check_ledger", 1, database=name) as crew:
        proof = crew.once()
    stage.say(f"  {events:,} events filled in ({took:.0f} s) that check_ledger finds right ({proof:.0f} s)")
    return name


def check_ledger(number: int) -> Callable[[], int]:
    """Client process: check that the filled rows are the same as ingesting these events would have left."""
    from usage.storage import reconciliation

    def once() -> int:
        findings = reconciliation.run()
        if findings:
            raise RuntimeError(str(findings[:3]))
        return 1

    return once


def measure(cast: Cast, options: Options) -> Iterator[Row]:
    with ExitStack() as stack:
        ports = {}
        for events in (FEW, options.events):
            ports[events] = stack.enter_context(server(filled(cast, events)))
        for what in paths(0):
            yield _measure(cast, options, what, ports)


def _measure(cast: Cast, options: Options, what: str, ports: dict[int, int]) -> Row:
    """Milliseconds per request, taken in turns over two connections."""
    with ExitStack() as stack:
        requests = {}
        for events, port in ports.items():
            (connection,) = stack.enter_context(load.connections(port, 1))
            requests[events] = connection, load.request("GET", paths(events)[what], cast.reader["secret"])

        def ask(events: int) -> float:
            connection, data = requests[events]
            began = perf_counter()
            body = connection.ask(data)
            took = perf_counter() - began
            _check(what, body, events)
            return 1000 * took

        pair = compare(lambda: ask(options.events), lambda: ask(FEW), options.rounds, times=ASKED)
    what = f"{what}, at {options.events:,} events"
    return Row(what, f"at {FEW:,} events", BOUND, at_most=True, unit="ms", **pair.columns)


def _check(what: str, body: bytes, events: int) -> None:
    answer = json.loads(body)
    if what == "/auth/account/usage" and answer["total_requests"] != events:
        raise RuntimeError(f"{answer['total_requests']} requests, not {events}")
    if "ledger" in what and events >= FEW and body.count(b'"amount"') != 50:
        raise RuntimeError(f"Not a whole page: {body[:300]!r}")
