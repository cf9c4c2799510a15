"""The locks are complete: pip installs what they name, and that is everything pyproject.toml asks for.

`make test` itself runs in an environment that was made from both locks. Installing them with the oldest and the newest
pip as well takes minutes, and is done with FULL_INSTALL=1. Otherwise each pip installs a few packages, and reads the
locks where all they name seems to be installed: the metadata of the packages that run these tests is all it looks at.
"""

import os
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import distributions
from itertools import chain
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from config.local import install

ROOT = Path(__file__).resolve().parents[3]
RUNNING, DEVELOPING = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
# The extras in each of them.
FOR_RUNNING = ["embedded", "telemetry"]
FOR_DEVELOPING = [*FOR_RUNNING, "e-invoice", "dev", "docs"]
INSTALLED = {canonicalize_name(each.name): each for each in distributions()}
PIN = re.compile(r"^([\w.-]+)==([^\s;]+)(?: ; ([^\\]+))?", re.MULTILINE)
OLDEST, NEWEST = "pip==23.0", "pip"
# No pip configuration of this machine may offer another place to look.
ISOLATED = {**{k: v for k, v in os.environ.items() if not k.startswith("PIP_")}, "PIP_CONFIG_FILE": os.devnull}


@dataclass(frozen=True)
class Environment:
    folder: Path
    pip: tuple[str, ...]  # the command

    @classmethod
    def make(cls, folder: Path, version: str) -> "Environment":
        """With this pip in it."""
        venv.create(folder)
        pip = [sys.executable, "-m", "pip", "--python", str(folder), "-q", "install", version]
        subprocess.run(pip, check=True, capture_output=True)
        return cls(folder, (str(folder / "bin/python"), "-m", "pip"))

    def has(self, *wanted: str) -> bool:
        """Whether it has all of it, extras and their dependencies too. pip may not look anywhere else."""
        command = [*self.pip, "install", "--no-index", "--dry-run", *wanted]
        return subprocess.run(command, env=ISOLATED, capture_output=True, check=False).returncode == 0

    def understands(self, lock: Path, folder: Path) -> bool:
        """Whether its pip can read the lock, and has nothing to do where just these versions are installed."""
        venv.create(folder)
        [packages] = folder.glob("lib/python*/site-packages")
        for distribution in INSTALLED.values():
            metadata = packages / f"{distribution.name.replace('-', '_')}-{distribution.version}.dist-info"
            metadata.mkdir()
            (metadata / "METADATA").write_text(distribution.read_text("METADATA") or "")
        there = Environment(folder, (*self.pip, "--python", str(folder)))
        return there.has("--no-deps", "--require-hashes", "--requirement", str(lock))


def pins(lock: Path) -> dict[NormalizedName, str]:
    """The versions by name, for this Python and machine."""
    lines = PIN.findall(lock.read_text())
    return {canonicalize_name(name): version for name, version, marker in lines if holds(marker)}


def holds(marker: str) -> bool:
    return not marker or Marker(marker).evaluate()


def requirements(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for, with these extras of its own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    parts = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return [Requirement(line) for line in chain.from_iterable(parts)]


def lacking(pins: Mapping[NormalizedName, str], wanted: Iterable[Requirement]) -> set[str]:
    """What of it, and of what it asks for in turn, isn't pinned to a version that will do."""
    names: set[str] = set()
    seen: set[tuple[str, str]] = set()
    todo = list(wanted)
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if not requirement.specifier.contains(pins.get(name, "0"), prereleases=True) or name not in pins:
            names.add(name)
        for extra in {"", *requirement.extras} if name in INSTALLED else ():
            if (name, extra) not in seen:
                seen.add((name, extra))
                requirements = map(Requirement, INSTALLED[name].requires or ())
                todo += [each for each in requirements if each.marker is None or each.marker.evaluate({"extra": extra})]
    return names


def lock_of(tmp_path: Path, *names: str) -> Path:
    """A lock with a few packages out of ours, hashes and all."""
    blocks = RUNNING.read_text().replace("\n    ", "\0").splitlines()
    lock = tmp_path / "some.lock"
    lock.write_text("\n".join(block for block in blocks if block.partition("==")[0] in names).replace("\0", "\n    "))
    return lock


@pytest.fixture(scope="module", params=[OLDEST, NEWEST])
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """One for all tests with this pip."""
    return Environment.make(tmp_path_factory.mktemp("install") / "venv", request.param)


def test_this_environment_has_the_locked_versions() -> None:
    """So its metadata tells what the packages of the locks ask for."""
    assert {name: INSTALLED[name].version for name in pins(DEVELOPING)} == pins(DEVELOPING)
    assert pins(RUNNING).items() <= pins(DEVELOPING).items()


@pytest.mark.parametrize(
    ("lock", "extras"),
    [(RUNNING, ["embedded", "telemetry"]), (DEVELOPING, ["embedded", "telemetry", "e-invoice", "dev", "docs"])],
)
def test_a_lock_has_all_that_is_asked_for(lock: Path, extras: list[str]) -> None:
    assert lacking(pins(lock), requirements(*extras)) == set()


def test_what_only_developing_needs_is_not_in_the_lock_for_running() -> None:
    assert lacking(pins(RUNNING), requirements("dev")) > {"mypy", "pytest", "hypothesis"}


@pytest.mark.parametrize("missing", ["vine", "psycopg-binary"])
def test_a_lock_that_lacks_a_package_is_noticed(missing: str) -> None:
    """The control. celery needs vine; only an extra asks for psycopg-binary."""
    some = {name: version for name, version in pins(RUNNING).items() if name != missing}
    assert lacking(some, requirements()) == {missing}


def test_a_version_that_will_not_do_is_noticed() -> None:
    assert lacking({**pins(RUNNING), canonicalize_name("redis"): "9.0"}, requirements()) == {"redis"}


def test_pip_understands_a_lock(environment: Environment, tmp_path: Path) -> None:
    assert environment.understands(RUNNING, tmp_path / "there")


@pytest.mark.skipif("FULL_INSTALL" not in os.environ, reason="takes minutes; run it with FULL_INSTALL=1")
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_both_locks_are_installed_in_earnest(tmp_path: Path, version: str) -> None:
    environment = Environment.make(tmp_path / "venv", version)
    install.install(RUNNING, environment.folder)
    assert environment.has(*map(str, requirements(*FOR_RUNNING)))
    assert not environment.has(*map(str, requirements("embedded", "dev")))
    install.install(DEVELOPING, environment.folder)
    assert environment.has(*map(str, requirements(*FOR_DEVELOPING)))


@pytest.mark.parametrize("lock", [RUNNING, DEVELOPING])
def test_a_lock_names_no_index(lock: Path) -> None:
    assert "://" not in lock.read_text()


def test_a_lock_that_lacks_a_dependency_is_refused(environment: Environment, tmp_path: Path) -> None:
    with pytest.raises(install.InstallError, match="vine"):
        install.install(lock_of(tmp_path, "amqp"), environment.folder)


def test_a_file_that_differs_from_the_locked_one_is_refused(environment: Environment, tmp_path: Path) -> None:
    lock = lock_of(tmp_path, "whitenoise")
    lock.write_text(lock.read_text().split("sha256:")[0] + "sha256:" + "0" * 64 + "\n")
    with pytest.raises(install.InstallError, match="pip cache purge"):
        install.install(lock, environment.folder)


def test_progress_is_a_bar_on_a_terminal_and_two_lines_elsewhere(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    install.install(lock_of(tmp_path, "amqp", "vine"), environment.folder)
    assert re.search(r"█{30} 2 of 2 ", capsys.readouterr().out), "the bar isn't full"
    monkeypatch.undo()
    install.install(lock_of(tmp_path, "sqlparse"), environment.folder)
    first, last = capsys.readouterr().out.splitlines()
    assert first == "Installing some.lock: 1 package…"
    assert last.startswith("Installed some.lock in ")
