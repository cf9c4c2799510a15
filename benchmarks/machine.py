"""Describes the machine that the figures were taken on."""

import os
import platform
import time
from pathlib import Path
from statistics import median

from benchmarks import stage


def line() -> str:
    with stage.connect("postgres") as connection:
        (postgres,) = connection.execute("SHOW server_version").fetchall()[0]
        (fsync,) = connection.execute("SHOW fsync").fetchall()[0]
    parts = [
        f"{processor()}, {os.cpu_count()} cores",
        f"{memory() / 2**30:.0f} GiB",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        f"PostgreSQL {postgres}, fsync {fsync}",
        f"fdatasync {1e6 * flush():.0f} µs",
        f"load before {os.getloadavg()[0]:.1f}",
    ]
    return " · ".join(parts)


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.machine()


def memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def flush(times: int = 200) -> float:
    """The median seconds to overwrite a page on the database's disk and flush it."""
    path, page, times_taken = stage.STATE / "flush", b"x" * 8192, []
    path.write_bytes(page)
    with path.open("r+b", buffering=0) as file:
        for _ in range(times):
            file.seek(0)
            file.write(page)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times_taken.append(time.perf_counter() - began)
    path.unlink()
    return median(times_taken)
