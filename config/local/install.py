"""Installs a lock file into .venv: `python3 config/local/install.py requirements.lock`, a step of `make run`.

Nothing is resolved. The lock names every package with its hashes, and pip installs exactly those, so newer releases
make no difference. This runs before anything is installed, so it needs only the standard library and imports nothing
from Tollgate. Modules are compiled when they are first imported, because most of them never are.
"""

import re
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OLDEST_PYTHON = (3, 11)
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
INSTALL = ("install", "--no-deps", "--require-hashes", "--no-compile", "--requirement")
BAR_WIDTH = 30
LOG_LINES = 5

# pip prints one such line for each package of the lock. It ignores those of other platforms.
PACKAGE_LINE = re.compile(r"(?:Collecting|Processing|Requirement already satisfied:|Ignoring) (?:\S*/)?([\w.]+)")
ADVICE = {
    "DO NOT MATCH THE HASHES": "A file differs from the one that was locked. Empty pip's cache (pip cache purge)\n"
    "and try again. If that doesn't help, your package index serves another file under the same name.",
    "No matching distribution": "There is no such package for this Python and machine. Tollgate is tested with Python\n"
    "3.11 on Linux. To use another Python: make PYTHON=python3.11 run",
    "NewConnectionError": "The package index can't be reached. Check the network, or set PIP_INDEX_URL\n"
    "to an index of yours.",
    "No space left": "The disk is full.",
    "is not supported on this platform": "A package has no build for this machine. Tollgate is tested with\n"
    "Python 3.11 on Linux (x86-64, glibc).",
}


class InstallError(Exception):
    """The lock can't be installed. The message says why, and what to do."""


def install(lock: Path, folder: Path) -> None:
    """Installs what `lock` names into the virtual environment `folder`, which is made if it doesn't exist."""
    began, python = time.monotonic(), folder / "bin" / "python"
    _ensure_environment(python, folder)
    pinned = re.findall(r"^[\w.-]+==", lock.read_text(), re.MULTILINE)
    progress = Progress(f"Installing {lock.name}", len(pinned))
    output: list[str] = []
    for line in _lines([str(python), *PIP, *INSTALL, str(lock)], output):
        if match := PACKAGE_LINE.match(line):
            progress.advance(match[1])
        elif line.startswith("Installing collected packages"):
            progress.say("unpacking")
    _lines_checked([str(python), *PIP, "check"])
    progress.end(f"Installed {lock.name} in {time.monotonic() - began:.0f} s.")


class Progress:
    """A bar on a terminal. Elsewhere, one line at the start and one at the end."""

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.done = title, total, 0
        self.is_terminal = sys.stdout.isatty()
        self._write(f"{title}: {total} package{'' if total == 1 else 's'}…", "" if self.is_terminal else "\n")

    def advance(self, name: str) -> None:
        self.done += 1
        self.say(name)

    def say(self, text: str) -> None:
        if self.is_terminal:
            filled = "█" * (BAR_WIDTH * self.done // max(self.total, 1))
            self._write(f"\r\033[K{self.title} {filled:░<{BAR_WIDTH}} {self.done} of {self.total} {text}")

    def end(self, text: str) -> None:
        self._write(f"\r\033[K{text}\n" if self.is_terminal else f"{text}\n")

    def _write(self, text: str, end: str = "") -> None:
        sys.stdout.write(text + end)
        sys.stdout.flush()


def _ensure_environment(python: Path, folder: Path) -> None:
    works = python.exists() and subprocess.run([python, *PIP, "--version"], capture_output=True).returncode == 0  # noqa: S603
    if not works:
        try:
            venv.create(folder, clear=True, with_pip=True)
        except (subprocess.CalledProcessError, ModuleNotFoundError) as error:
            raise InstallError(
                f"{sys.executable} can't make a virtual environment. On Debian and Ubuntu: apt install python3-venv"
            ) from error


def _lines(command: list[str], output: list[str]) -> Iterator[str]:
    """Yields the lines that a command prints, as they come. Raises InstallError if it fails."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603 (pip)
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line.rstrip())
            yield line
    if process.returncode != 0:
        raise InstallError(_explain(output))


def _lines_checked(command: list[str]) -> None:
    for _ in _lines(command, []):
        pass


def _explain(output: list[str]) -> str:
    text = "\n".join(output)
    advice = next((advice for sign, advice in ADVICE.items() if sign in text), "")
    errors = [line for line in output if line.startswith("ERROR")] or output[-LOG_LINES:]
    return "\n".join(["", *errors[:LOG_LINES], *([advice] if advice else [])])


def main(name: str) -> int:
    if sys.version_info < OLDEST_PYTHON:
        sys.stderr.write(
            f"Tollgate needs Python 3.11 or later, and {sys.executable} is {sys.version.split()[0]}. "
            "Name another: make PYTHON=python3.12 run\n"
        )
        return 1
    try:
        install(ROOT / name, ROOT / ".venv")
    except InstallError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
