"""Finds the processes of one `make run` by their parents, so we only ever kill those that we started."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    command: str


def _all() -> list[Process]:
    processes = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or belongs to another user
            _, _, rest = (folder / "stat").read_text().rpartition(") ")
            state, parent = rest.split()[:2]
            if state != "Z":
                command = (folder / "cmdline").read_text().replace("\0", " ")
                processes.append(Process(int(folder.name), int(parent), command))
    return sorted(processes, key=lambda process: process.pid)


@dataclass(frozen=True)
class Role:
    """What is killed: the process `depth` levels below the supervisor whose command has all `words`, and its children.

    It is complete when at least `least` processes run. `groups` lists those that may be killed together.
    """

    name: str
    words: tuple[str, ...]
    depth: int
    least: int
    groups: Callable[[list[int]], list[list[int]]]

    def members(self, supervisor: int) -> list[int]:
        """The process, followed by its children. Empty while it isn't running."""
        everyone = _all()
        above = {supervisor}
        for _ in range(self.depth - 1):
            above = {process.pid for process in everyone if process.parent in above}
        heads = [
            process.pid
            for process in everyone
            if process.parent in above and all(word in process.command for word in self.words)
        ]
        return [*heads[:1], *(process.pid for process in everyone if process.parent in heads[:1])]

    def watchdog(self, supervisor: int) -> int:
        """The process that restarts it."""
        [head, *_] = self.members(supervisor)
        return next(process.parent for process in _all() if process.pid == head)


def kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _each_child(members: list[int]) -> list[list[int]]:
    return [[pid] for pid in members[1:]]


def _head(members: list[int]) -> list[list[int]]:
    return [members[:1]]


def _head_or_child(members: list[int]) -> list[list[int]]:
    """Usually only the first process. Or one of its children, and then PostgreSQL restarts all of them."""
    return [members[:1]] * 3 + _each_child(members)[-2:]


def _all_head_or_child(members: list[int]) -> list[list[int]]:
    return [members, members[:1], *_each_child(members)[-1:]]


POSTGRES = Role("PostgreSQL", ("bin/postgres",), depth=2, least=2, groups=_head_or_child)
WEB_WORKER = Role("web worker", ("config.web",), depth=1, least=3, groups=_each_child)
WEB_SERVER = Role("web server", ("config.web",), depth=1, least=3, groups=_head)
CELERY = Role("Celery worker", ("celery", " worker ", "--queues celery"), depth=1, least=3, groups=_all_head_or_child)
VALKEY = Role("Valkey", ("valkey-server",), depth=2, least=1, groups=_head)
ROLES = (POSTGRES, WEB_WORKER, CELERY, VALKEY)
