"""Kills each of the four once; `make faults` does it 20 times. It runs on its own installation.

Then three of them hang, each for as long as one look at what users get takes; with `make faults` for 30 seconds.
"""

import os
import subprocess
import sys

import pytest

from config.env import BASE_DIR

PATIENCE_SECONDS = 300

pytestmark = pytest.mark.waits


def test_after_kill_9_nothing_is_lost_nothing_is_doubled_and_all_of_it_comes_back() -> None:
    """Kills PostgreSQL, a web worker, the Celery worker and Valkey under load. The output names the seed."""
    command = [sys.executable, "-m", "tests.faults", "--rounds", "1"]
    env = os.environ | {"HUNG_SECONDS": "0", "PAUSE_SECONDS": "0.03"}  # other tests run beside it
    done = subprocess.run(
        command, cwd=BASE_DIR, env=env, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
