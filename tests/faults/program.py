"""Runs the drill and prints a line per round, what went wrong, and a summary. `conduct` runs any drill."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from django.db import connection

from tests.faults.damages import DAMAGES
from tests.faults.drill import Drill, Round
from tests.faults.processes import CELERY, POSTGRES, ROLES, VALKEY
from tests.faults.running import DidNotComeBack, Running

TRIES = 5
HUNG_SECONDS = float(os.environ.get("HUNG_SECONDS", "30"))


def run(log: Path, port: int, seed: str, rounds: int | None) -> int:
    """Returns the exit code. With None it is the control: it kills PostgreSQL until something is lost."""
    say(f"kill -9 under load, seed {seed}")

    def work(running: Running) -> int:
        drill = Drill(running, seed)
        say("the load: " + ", ".join(operation.run.__name__ for operation in drill.operations))
        return forget(drill) if rounds is None else prove(drill, rounds)

    return conduct(port, log, work)


def conduct(port: int, log: Path, work: Callable[[Running], int]) -> int:
    """Run a drill's work beside a `make run` of its own. Returns the exit code: the work's, or 1 if a part of the
    program didn't come back.
    """
    began, running = time.monotonic(), Running(port, log)
    try:
        say(f"started in {time.monotonic() - began:.1f} s")
        return work(running)
    except DidNotComeBack as error:
        say(str(error))
        return 1
    finally:
        running.stop()
        say(f"{time.monotonic() - began:.0f} s")


def conclude(problems: Sequence[str], without: str) -> int:
    """Print the problems, or the sentence to print without any. Returns the exit code."""
    say("\n".join(problems) or without)
    return 1 if problems else 0


def prove(drill: Drill, rounds: int) -> int:
    steps = [(f"{number:3}", partial(drill.round, role)) for number in range(1, rounds + 1) for role in ROLES]
    steps += [("  -", partial(drill.interruption, role, HUNG_SECONDS)) for role in (POSTGRES, VALKEY, CELERY)]
    for title, step in steps:
        done = step()
        say(f"{title}  {done}")
        if done.problems:
            say("\n".join([*done.problems[:20], drill.running.end_of_log()]))
            return 1
    say(summary(drill.rounds[: rounds * len(ROLES)]))
    return conclude(drill.control(), f"control: a lost id, a doubled one and {len(DAMAGES)} damages are seen")


def forget(drill: Drill) -> int:
    """Whether the drill notices commits that never reached the disk. The cast itself is safely on disk."""
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
    for _ in range(TRIES):
        done = drill.round(POSTGRES)
        say(f"  -  {done}")
        if done.lost:
            say("control: a PostgreSQL that forgets is found out")
            return 0
    say("control: nothing was lost by a PostgreSQL that forgets, or it wasn't seen")
    return 1


def summary(rounds: Iterable[Round]) -> str:
    by_name: dict[str, list[Round]] = {}
    for done in rounds:
        by_name.setdefault(done.role.name, []).append(done)
    return "\n".join(_line(name, mine) for name, mine in by_name.items())


def _line(name: str, rounds: list[Round]) -> str:
    acked, retried = (sum(done.tally[what] for done in rounds) for what in ("acked", "retried"))
    seconds = sorted(done.seconds for done in rounds)
    lost, doubled = sum(done.lost for done in rounds), sum(done.doubled for done in rounds)
    counted = f"killed {len(rounds):2} times: acked {acked:6,}, retried {retried:5,}, lost {lost}, doubled {doubled}"
    return f"{name:14} {counted}, back after {seconds[len(seconds) // 2]:.1f} s, at most {seconds[-1]:.1f} s"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
