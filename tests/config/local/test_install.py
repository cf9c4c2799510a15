"""The locks are complete: pip installs what they name, and that is everything pyproject.toml asks for."""

import os
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from config.local import install

ROOT = Path(__file__).resolve().parents[3]
OLDEST, NEWEST = "pip==23.0", "pip"
# No pip configuration of this machine may offer another place to look.
ISOLATED = {**{k: v for k, v in os.environ.items() if not k.startswith("PIP_")}, "PIP_CONFIG_FILE": os.devnull}


def requirements(*extras: str) -> list[str]:
    """What pyproject.toml asks for, with these extras of its own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    parts = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return list(chain.from_iterable(parts))


def is_complete(folder: Path, wanted: list[str]) -> bool:
    """Whether the environment has all of it, extras and their dependencies too. pip may not look anywhere else."""
    command = [str(folder / "bin/python"), "-m", "pip", "install", "--no-index", "--dry-run", *wanted]
    return subprocess.run(command, env=ISOLATED, capture_output=True, check=False).returncode == 0


def pip(folder: Path, *arguments: str) -> None:
    subprocess.run([folder / "bin/python", "-m", "pip", "-q", *arguments], check=True, capture_output=True)


def make_environment(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_both_locks_install_without_resolving(
    tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = make_environment(tmp_path / "venv")
    pip(environment, "install", "--upgrade", version)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    install.install(ROOT / "requirements.lock", environment)
    assert re.search(r"█{30} (\d+) of \1 ", capsys.readouterr().out), "the bar isn't full"
    assert is_complete(environment, requirements("embedded"))
    assert not is_complete(environment, requirements("embedded", "dev"))

    install.install(ROOT / "requirements-dev.lock", environment)
    assert is_complete(environment, requirements("embedded", "dev", "docs"))

    # The control: a missing package that only an extra asks for is noticed.
    pip(environment, "uninstall", "--yes", "psycopg-binary")
    assert not is_complete(environment, requirements())


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_no_index(lock: str) -> None:
    assert "://" not in (ROOT / lock).read_text()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for the tests below. Each installs packages that the others don't."""
    return make_environment(tmp_path_factory.mktemp("install") / "venv")


def lock_of(tmp_path: Path, *names: str) -> Path:
    """A lock with a few packages out of ours, hashes and all."""
    blocks = (ROOT / "requirements.lock").read_text().replace("\n    ", "\0").splitlines()
    lock = tmp_path / "some.lock"
    lock.write_text("\n".join(block for block in blocks if block.partition("==")[0] in names).replace("\0", "\n    "))
    return lock


def test_a_lock_that_lacks_a_dependency_is_refused(environment: Path, tmp_path: Path) -> None:
    with pytest.raises(install.InstallError, match="vine"):
        install.install(lock_of(tmp_path, "amqp"), environment)
    install.install(lock_of(tmp_path, "amqp", "vine"), environment)


def test_a_file_that_differs_from_the_locked_one_is_refused(environment: Path, tmp_path: Path) -> None:
    lock = lock_of(tmp_path, "whitenoise")
    lock.write_text(lock.read_text().split("sha256:")[0] + "sha256:" + "0" * 64 + "\n")
    with pytest.raises(install.InstallError, match="pip cache purge"):
        install.install(lock, environment)


def test_progress_is_a_line_at_the_start_and_a_line_at_the_end(
    environment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install.install(lock_of(tmp_path, "sqlparse"), environment)
    first, last = capsys.readouterr().out.splitlines()
    assert first == "Installing some.lock: 1 package…"
    assert last.startswith("Installed some.lock in ")
