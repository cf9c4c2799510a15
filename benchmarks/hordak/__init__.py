"""Installs and runs django-hordak in its own virtual environment, apart from the product's."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import stage
from benchmarks.processes import Crew

HERE = Path(__file__).resolve().parent
VENV = stage.STATE / "hordak-venv"
DATABASE = "hordak"
SETTINGS = "benchmarks.hordak.settings"


def install() -> str | None:
    """The path of the Python that has django-hordak; None if it can't be installed."""
    python, installed = VENV / "bin" / "python", VENV / "installed"
    wanted = (HERE / "requirements.lock").read_text()
    if installed.exists() and installed.read_text() == wanted:
        return str(python)
    stage.say("Installing django-hordak…")
    lock = str(HERE / "requirements.lock")
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", lock],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)  # noqa: S603
        if done.returncode:
            stage.say(done.stderr[-1000:])
            return None
    installed.write_text(wanted)
    return str(python)


@contextmanager
def crew(python: str, clients: int) -> Iterator[Crew]:
    """Clients that post with django-hordak, in its own database."""
    stage.create(DATABASE, "template0")
    try:
        environment = stage.environment(DATABASE) | {"DJANGO_SETTINGS_MODULE": SETTINGS}
        command = [python, "-m", "benchmarks.hordak.prepare"]
        subprocess.run(command, cwd=stage.ROOT, env=environment, check=True, timeout=300)  # noqa: S603
        with Crew(
            "benchmarks.hordak.posting:transfer", clients, database=DATABASE, python=python, settings=SETTINGS
        ) as hordak_crew:
            yield hordak_crew
    finally:
        stage.drop(DATABASE)
