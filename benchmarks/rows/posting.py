"""One posting from Python, compared with pgbench running the same statement and with other ways to write it."""

from benchmarks import hordak, pgbench, stage
from benchmarks.cast import Cast
from benchmarks.measure import Options, Row, compare
from benchmarks.processes import Crew

WHAT = "one posting from Python, spread over 1,000 accounts"


def measure_pgbench(cast: Cast, options: Options) -> Row:
    from billing.ledger import balances

    text = pgbench.script(balances.POST)
    with (
        stage.database("posting") as database,
        Crew("benchmarks.clients:spread", options.clients, database=database) as ours,
    ):
        pair = compare(
            lambda: ours.run(options.seconds),
            lambda: pgbench.run(text, database=database, clients=options.clients, seconds=options.seconds),
            options.rounds,
        )
    against = f"pgbench, the same statement, as many clients ({options.clients})"
    return Row(WHAT, against, 0.6, unit="postings/s", **pair.columns)


def measure_ordinary(cast: Cast, options: Options) -> Row:
    with (
        stage.database("ordinary") as database,
        Crew("benchmarks.clients:spread", options.clients, database=database) as ours,
        Crew("benchmarks.clients:ordinary", options.clients, database=database) as theirs,
    ):
        pair = compare(lambda: ours.run(options.seconds), lambda: theirs.run(options.seconds), options.rounds)
    return Row("one posting", "select_for_update, then ORM writes", 3, unit="postings/s", **pair.columns)


def measure_hordak(cast: Cast, options: Options) -> Row:
    row = Row("one posting", "django-hordak, a transaction of two legs", 10, unit="postings/s")
    python = hordak.install()
    if python is None:
        return Row(row.what, row.against, row.bound, note="django-hordak could not be installed")
    with (
        stage.database("posting") as database,
        Crew("benchmarks.clients:spread", options.clients, database=database) as ours,
        hordak.crew(python, options.clients) as theirs,
    ):
        pair = compare(lambda: ours.run(options.seconds), lambda: theirs.run(options.seconds), options.rounds)
    return Row(row.what, row.against, row.bound, unit=row.unit, **pair.columns)


def measure_coalesced(cast: Cast, options: Options) -> Row:
    """Charges on one account, in batches of 1,000 and one by one."""
    with (
        stage.database("hot") as database,
        Crew("benchmarks.clients:coalesced", options.clients, cast.keys[0], database=database) as ours,
        Crew("benchmarks.clients:hot", options.clients, database=database) as theirs,
    ):
        pair = compare(lambda: ours.run(options.seconds), lambda: theirs.run(options.seconds), options.rounds)
    what = "charges on one hot account, coalesced in usage batches of 1,000"
    return Row(what, "single postings on it", 10, unit="charges/s", **pair.columns)
