"""The gate, compared with a bare Django view on the same server that does one thing in the database."""

import json
from itertools import cycle

from benchmarks import load, stage
from benchmarks.cast import PERMISSION, Cast
from benchmarks.measure import Options, Row, compare
from benchmarks.processes import server

CONNECTIONS = 4


def _requests(cast: Cast, path: str, **more: object) -> list[bytes]:
    """One request per key. The bare views get the same bodies."""
    options = {"permission": PERMISSION, "meter": "requests", **more}
    bodies = [json.dumps({"key": secret, **options}).encode() for secret in cast.secrets]
    return [load.request("POST", path, cast.platform, body) for body in bodies]


def measure_select(cast: Cast, options: Options) -> Row:
    row = Row("POST /v1/keys/verify", "a bare Django view, one indexed SELECT", 0.8, unit="requests/s")
    return _measure(cast, options, row, "/bench/select", {}, b'"valid"')


def measure_insert(cast: Cast, options: Options) -> Row:
    row = Row("POST /v1/keys/verify with a hold", "the same view, one INSERT and commit", 0.6, unit="requests/s")
    return _measure(cast, options, row, "/bench/insert", {"hold_seconds": 300}, b'"hold_')


def _measure(cast: Cast, options: Options, row: Row, bare: str, more: dict[str, object], expect: bytes) -> Row:
    ours, theirs = _requests(cast, "/v1/keys/verify", **more), _requests(cast, bare, **more)
    shares = []

    def ask(requests: list[bytes], answer: bytes) -> float:
        with load.connections(port, CONNECTIONS) as all_of_them:
            outcome = load.run(all_of_them, cycle(requests), options.seconds, answer)
        shares.append(outcome.share)
        return outcome.rate

    with stage.database("gate") as database, server(database) as port:
        if refusal := _refusal(port, ours[0], expect):
            return Row(row.what, row.against, row.bound, note=refusal)
        pair = compare(lambda: ask(ours, b'"VALID"'), lambda: ask(theirs, b'"valid"'), options.rounds)
    note = f"{CONNECTIONS} connections; the client took {max(shares):.0%} of a core"
    return Row(row.what, row.against, row.bound, unit=row.unit, note=note, **pair.columns)


def _refusal(port: int, data: bytes, expect: bytes) -> str:
    """Why this can't be measured; empty if it can."""
    with load.connections(port, 1) as connections:
        connections[0].send(data)
        while not connections[0].receive():
            pass
        answer = connections[0].answer
    if answer.startswith(b"HTTP/1.1 200") and expect in answer:
        return ""
    return "the gate answered " + answer.split(b"\r\n", 1)[0].decode()
