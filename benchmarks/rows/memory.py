"""The memory of a web worker after 1,000,000 ingested events, compared with after 10,000."""

from pathlib import Path

from benchmarks import load, stage
from benchmarks.cast import Cast
from benchmarks.measure import Options, Row
from benchmarks.processes import server
from benchmarks.rows import ingest

FEW = 10_000
MANY = 1_000_000
BOUND = 1.1
PORTION = 50  # requests made at a time


def resident(pid: int) -> float:
    """The resident memory of the process, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"{pid} is gone")


def measure(cast: Cast, options: Options) -> Row:
    many = min(MANY, options.events)
    with stage.database("memory") as database, server(database) as port:
        pids = load.workers(port)
        _ingest(cast, port, FEW)
        before = {pid: resident(pid) for pid in pids}
        _ingest(cast, port, many - FEW)
        after = {pid: resident(pid) for pid in load.workers(port)}
    if before.keys() != after.keys():
        return Row("memory of a web worker", "after 10,000", BOUND, at_most=True, note="a worker was replaced")
    worst = max(pids, key=lambda pid: after[pid] / before[pid])
    ratios = sorted(after[pid] / before[pid] for pid in pids)
    what = f"memory of a web worker after {many:,} ingested events"
    columns = {"figure": after[worst], "limit": before[worst], "ratio": ratios[-1], "spread": (ratios[0], ratios[-1])}
    return Row(
        what, f"after {FEW:,}", BOUND, at_most=True, unit="MiB", note="of two, the one that grew more", **columns
    )


def _ingest(cast: Cast, port: int, events: int) -> None:
    left = events // ingest.BATCH
    while left:
        portion = min(PORTION, left)
        requests = ingest.batches(cast, portion)
        with load.connections(port, ingest.CONNECTIONS) as both:
            load.run(both, iter(requests), 600, ingest.ACCEPTED)
        left -= portion
