"""The locks are complete: pip takes what they name, and finds everything that pyproject.toml asks for."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from config.local import install

ROOT = Path(__file__).resolve().parents[3]
OLDEST, NEWEST = "pip==23.0", "pip"
# No configuration of this machine's may offer pip another place to look.
ISOLATED = {**{k: v for k, v in os.environ.items() if not k.startswith("PIP_")}, "PIP_CONFIG_FILE": os.devnull}


def wanted(*extras: str) -> list[str]:
    """What pyproject.toml asks for, with these of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [
        *project["dependencies"],
        *(requirement for extra in extras for requirement in project["optional-dependencies"][extra]),
    ]


def is_complete(folder: Path, requirements: list[str]) -> bool:
    """Whether pip, which may look nowhere, finds all of it in the environment: extras and their dependencies too."""
    command = [str(folder / "bin/python"), "-m", "pip", "install", "--no-index", "--dry-run", *requirements]
    return subprocess.run(command, env=ISOLATED, capture_output=True, check=False).returncode == 0


def pip(folder: Path, *arguments: str) -> None:
    subprocess.run([folder / "bin/python", "-m", "pip", "-q", *arguments], check=True, capture_output=True)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_the_locks_need_no_resolving(environment: Path, version: str) -> None:
    pip(environment, "install", "--upgrade", version)
    install.install(ROOT / "requirements.lock", environment)
    assert is_complete(environment, wanted("embedded"))
    assert not is_complete(environment, wanted("embedded", "dev"))

    install.install(ROOT / "requirements-dev.lock", environment)
    assert is_complete(environment, wanted("embedded", "dev", "docs"))

    # The control: without one package that only an extra asks for, it is noticed.
    pip(environment, "uninstall", "--yes", "psycopg-binary")
    assert not is_complete(environment, wanted())


def lock_of(tmp_path: Path, *names: str) -> Path:
    """A lock of a few packages out of ours, hashes and all."""
    blocks = (ROOT / "requirements.lock").read_text().replace("\n    ", "\0").splitlines()
    lock = tmp_path / "some.lock"
    lock.write_text("\n".join(block for block in blocks if block.partition("==")[0] in names).replace("\0", "\n    "))
    return lock


def test_a_lock_that_lacks_a_dependency_is_refused(environment: Path, tmp_path: Path) -> None:
    with pytest.raises(install.InstallError, match="sqlparse"):
        install.install(lock_of(tmp_path, "django", "asgiref"), environment)
    install.install(lock_of(tmp_path, "django", "asgiref", "sqlparse"), environment)


def test_another_file_than_the_locked_one_is_refused(environment: Path, tmp_path: Path) -> None:
    lock = lock_of(tmp_path, "sqlparse")
    lock.write_text(lock.read_text().split("sha256:")[0] + "sha256:" + "0" * 64 + "\n")
    with pytest.raises(install.InstallError, match="pip cache purge"):
        install.install(lock, environment)


def test_progress_is_a_line_when_it_begins_and_one_when_it_ends(
    environment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install.install(lock_of(tmp_path, "sqlparse"), environment)
    first, last = capsys.readouterr().out.splitlines()
    assert first == "Installing some.lock: 1 package…"
    assert last.startswith("Installed some.lock in ")
