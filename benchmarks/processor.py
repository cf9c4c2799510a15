"""The processor time of processes and all beneath them, from /proc.

Other work on the machine makes a run slower by the clock, but takes hardly any of its processor time.
"""

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def used(roots: Iterable[int]) -> float:
    """Seconds, user and system, of these processes, their children, and those of them that have ended."""
    children, seconds = defaultdict(list), {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        pid = int(path.parent.name)
        children[int(fields[1])].append(pid)
        seconds[pid] = sum(map(int, fields[11:15])) / TICK
    waiting, total = list(roots), 0.0
    while waiting:
        pid = waiting.pop()
        total += seconds.get(pid, 0)
        waiting += children[pid]
    return total


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
