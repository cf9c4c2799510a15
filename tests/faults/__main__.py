"""kill -9 under load: `python -m tests.faults [--rounds 20] [--seed 7]`. Exits with 1 if anything is lost or doubled.

It starts its own `make run`. Each round kills PostgreSQL, a web worker, the Celery worker and Valkey. With `--control`,
PostgreSQL acknowledges commits before they are on disk, so the drill must then find something lost.
"""

import argparse
import os
import random
import socket
import sys
import tempfile
from pathlib import Path

OUTSIDE = ("DATABASE_URL", "REDIS_URL", "BASE_URL", "TOLLGATE_ENV", "TOLLGATE_POSTGRES_OPTIONS")
FORGETFUL = "-c synchronous_commit=off -c wal_writer_delay=10s -c wal_writer_flush_after=1GB"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="kill -9 under load.")
    parser.add_argument("--rounds", type=int, default=20, help="how often each is killed (default: %(default)s)")
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**6)), help="of all that is random")
    parser.add_argument("--control", action="store_true", help="see that a PostgreSQL that forgets is found out")
    options = parser.parse_args()
    # The name is short enough for the path of a unix socket. On a busy machine the last server may still be ending.
    with tempfile.TemporaryDirectory(prefix="tgf", ignore_cleanup_errors=True) as folder:
        prepare(Path(folder), FORGETFUL if options.control else "")

        from tests.faults import program  # needs Django

        return program.run(Path(folder) / "log", free_port(), options.seed, None if options.control else options.rounds)


def prepare(folder: Path, postgres_options: str) -> None:
    """Sets up a separate installation before Django reads its settings, with limits too high to matter."""
    for name in OUTSIDE:
        os.environ.pop(name, None)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "TOLLGATE_STATE_DIR": str(folder / "state"),
        "TOLLGATE_POSTGRES_OPTIONS": postgres_options,
        "ANONYMOUS_RATE_LIMIT": "1000000",
        "EMAIL_URL": f"filemail:///{folder}/mail",
    }

    import django

    django.setup()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
