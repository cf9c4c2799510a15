"""A Tollgate of its own for the how-tos, as `make run` starts it, in a copy of this checkout."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.config.web.conftest import free_port
from tests.faults.running import Running

needs_time = pytest.mark.skipif("HOWTOS" not in os.environ, reason="takes minutes; run it with HOWTOS=1 (make howtos)")
OURS = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "TOLLGATE_STATE_DIR", "DJANGO_SETTINGS_MODULE")


def environment() -> dict[str, str]:
    """A reader's, without what the tests set."""
    return {name: value for name, value in os.environ.items() if name not in OURS}


def check_out(folder: Path) -> None:
    """A copy of the code without data, with the packages of this environment."""
    leave = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "_build", "build")
    shutil.copytree(settings.BASE_DIR, folder, ignore=leave)
    (folder / ".venv").symlink_to(sys.prefix)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """Its folder and its port."""
    folder, port = tmp_path_factory.mktemp("howtos") / "tollgate", free_port()
    check_out(folder)
    tollgate = Running(port, folder / "log", folder, environment())
    yield folder, port
    tollgate.stop()
