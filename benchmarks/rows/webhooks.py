"""Webhooks, compared with the same HTTP client in a plain loop, to a receiver that takes 50 ms."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import stage
from benchmarks.cast import Cast
from benchmarks.measure import Options, Row, compare
from benchmarks.processes import Crew

ENDPOINTS = (50, 1)
AGAINST = "the same HTTP client in a plain loop, as many threads, without a database"


def measure(cast: Cast, options: Options) -> Iterator[Row]:
    with receiver() as url:
        for endpoints in ENDPOINTS:
            with (
                stage.database("webhooks") as database,
                Crew("benchmarks.deliveries:worked", 1, url, str(endpoints), database=database) as ours,
                Crew("benchmarks.deliveries:posted", 1, url, database=database) as theirs,
            ):
                pair = compare(lambda: ours.run(options.seconds), lambda: theirs.run(options.seconds), options.rounds)
            what = f"webhook deliveries to a receiver that takes 50 ms, endpoints: {endpoints}"
            yield Row(what, AGAINST, 0.4, unit="deliveries/s", **pair.columns)


@contextmanager
def receiver() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.receiver"]
    process = subprocess.Popen(command, cwd=stage.ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 (our own)
    try:
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/hook"
    finally:
        process.kill()
        process.communicate()
