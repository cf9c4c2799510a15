"""Rounds: start load, kill -9 at a random point, wait for recovery, stop the load, and compare."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event

from tests.faults import audit, cast, clients, damages, outages
from tests.faults.backlog import Backlog
from tests.faults.clients import Book, Client
from tests.faults.letters import Letters
from tests.faults.operations import Claim
from tests.faults.processes import CELERY, VALKEY, WEB_SERVER, WEB_WORKER, Role
from tests.faults.running import Loss, Running
from tests.killing import stopped

CLIENTS = 6
SWEPT, SWEPT_MEANWHILE = 5, 99  # pending payments in a normal round, and in one that interrupts the sweep
LETTERS = 12
BEFORE_SECONDS, AFTER_SECONDS = (0.3, 1.5), 0.5
WHOLE_SERVER = 0.25  # the share of web worker rounds that kill the whole web server


@dataclass
class Round:
    """The result of one round. `problems` is empty if all is well."""

    role: Role
    claims: list[Claim] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    lost: int = 0
    doubled: int = 0
    note: str = ""

    def add(self, book: Book) -> None:
        self.claims += book.claims
        self.tally += book.tally
        self.problems += book.wrong

    def __str__(self) -> str:
        counted = (
            f"acked {self.tally['acked']:5,}  retried {self.tally['retried']:4,}  refused {self.tally['refused']:3,}"
        )
        compared = f"lost {self.lost}  doubled {self.doubled}  back after {self.seconds:4.1f} s"
        return f"{self.role.name:14}  {counted}  {compared}{self.note}"


class Drill:
    """Keeps the claims of all rounds, so we also see it if a later round damages an earlier one."""

    def __init__(self, running: Running, seed: str) -> None:
        self.running, self.seed = running, seed
        self.claims: list[Claim] = []
        self.rounds: list[Round] = []
        self.cast = cast.make()
        self.operations = clients.available(running.port, self.cast)

    def round(self, role: Role) -> Round:
        chance = random.Random(f"{self.seed} {len(self.rounds)}")
        if role is WEB_WORKER and chance.random() < WHOLE_SERVER:
            role = WEB_SERVER
        done = Round(role)
        self.running.rest(role)
        backlog = Backlog(self.cast, SWEPT_MEANWHILE if role is CELERY else SWEPT, chance)
        letters = Letters(LETTERS if role is CELERY else 0)
        with self._load(done, chance):
            cast.turn_the_minute()
            time.sleep(chance.uniform(*BEFORE_SECONDS))
            done.seconds = self._strike(done, backlog, letters, chance).recovered()
            time.sleep(AFTER_SECONDS)
        backlog.finish(self.running)
        done.problems += letters.finish(self.running)
        self._judge(done, backlog)
        self.rounds.append(done)
        return done

    def interruption(self, role: Role, seconds: float) -> Round:
        """All of the role's processes hang for so long, under load. It has to recover by itself."""
        chance, done = random.Random(f"{self.seed} {len(self.rounds)}"), Round(role)
        backlog = Backlog(self.cast, SWEPT, chance)
        with self._load(done, chance):
            time.sleep(chance.uniform(*BEFORE_SECONDS))
            with stopped(*role.members(self.running.process.pid)):
                book = outages.look_while_it_hangs(self.running.port, self.cast, chance, role, seconds)
            began = time.monotonic()
            self.running.wait_until(self.running.is_ready, f"{role.name} after it hung")
            done.seconds = time.monotonic() - began
            time.sleep(AFTER_SECONDS)
        done.claims, done.problems = done.claims + book.claims, done.problems + book.wrong
        done.note = f"  hung for {seconds:g} s: {', '.join(sorted(book.tally))}"
        backlog.finish(self.running)
        self._judge(done, backlog)
        self.rounds.append(done)
        return done

    @contextmanager
    def _load(self, done: Round, chance: random.Random) -> Iterator[None]:
        """Runs clients during the block. At its end, each client finishes what it has begun."""
        stop = Event()
        seeds = [chance.getrandbits(64) for _ in range(CLIENTS)]
        crowd = [Client(self.running.port, self.cast, self.operations, random.Random(seed), stop) for seed in seeds]
        for client in crowd:
            client.start()
        try:
            yield
        finally:
            stop.set()
            for client in crowd:
                client.join()
                done.add(client.book)

    def _strike(self, done: Round, backlog: Backlog, letters: Letters, chance: random.Random) -> Loss:
        """Kills the Celery worker while it works. Every other time, Valkey stays down, to see what works without it."""
        if done.role is CELERY:
            backlog.start(self.running)
            letters.start(self.running)
            loss = self.running.kill(done.role, chance)
            done.note = f"  at work, with {backlog.left()} payments and {letters.left()} emails to go"
            return loss
        if done.role is not VALKEY or sum(past.role is VALKEY for past in self.rounds) % 2:
            return self.running.kill(done.role, chance)
        with stopped(done.role.watchdog(self.running.process.pid)):
            loss = self.running.kill(done.role, chance)
            done.add(outages.look_without_valkey(self.running.port, self.cast, chance))
            loss.forgive()
        done.note = "  kept down, to look"
        return loss

    def _judge(self, done: Round, backlog: Backlog) -> None:
        self.claims += done.claims + backlog.claims
        verdict = audit.judge(self.claims, self.cast)
        done.lost, done.doubled = len(verdict.lost), len(verdict.doubled)
        done.problems += [] if verdict.is_clean else [str(verdict)]

    def control(self) -> list[str]:
        """Checks the comparison itself: an id that was never sent, one that counts twice, and each of the damages."""
        kept = next(claim for claim in self.claims if claim.must and claim.credits)
        lost = audit.judge([*self.claims, replace(kept, id="never sent")], self.cast)
        twice = audit.judge([*self.claims, kept], self.cast)
        blind = ["a lost id is not seen"] * (len(lost.lost) != 1) + ["a doubled one is not seen"] * twice.is_clean
        return blind + damages.overlooked(self.claims, self.cast)
