"""The shell blocks of a page of documentation, run word for word, and what the page says that they print.

A page shows commands in ```` ```shell ````, and their output in a ```` ```text ```` right after it. Ids, numbers and
times differ from run to run, and `…` stands for anything. A command with `…` in it is for the reader to fill in.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```\n", re.DOTALL | re.MULTILINE)
END = "--- the end of a block ---\n"
# Values that vary: how a page writes them, and what may be in their place.
VARYING = {
    r"\b[a-z]+_[0-9a-z]+…": r"\w+",
    r"\d{4}-\d\d-\d\dT[\d:.]+Z": r"[\dT:.-]+Z",
    r"\d{4}-\d\d(?:-\d\d)?": r"\d{4}-\d\d(-\d\d)?",
    r"-?\d+(?:\.\d+)?": r"-?\d+(\.\d+)?",
    r"…": r".*?",
}


@dataclass(frozen=True)
class Block:
    command: str
    output: str  # empty if the page shows none


class Failed(Exception):
    """A command failed. The message has it, and what it printed."""


def blocks(page: Path, *, after: str = "", before: str = "") -> list[Block]:
    """Those of the page, or of the part between two lines, such as headings."""
    text = f"\n{page.read_text()}".partition(f"\n{after}\n")[2].partition(f"\n{before}\n" if before else "\0")[0]
    parts = [*BLOCK.finditer(text), None]
    return [
        Block(block["text"], next_one["text"] if next_one and _is_output(block, next_one) else "")
        for block, next_one in pairwise(parts)
        if block and block["language"] == "shell" and "…" not in block["text"]
    ]


def _is_output(block: re.Match[str], following: re.Match[str]) -> bool:
    return following["language"] == "text" and block.end() == following.start()


def run(parts: list[Block], *, folder: Path, environment: Mapping[str, str]) -> list[str]:
    """What each block prints. They run in one shell, one after the other, and the first that fails ends it."""
    script = folder / "howto.sh"
    script.write_text("set -e\n" + "".join(f"{block.command}\necho '{END[:-1]}'\n" for block in parts))
    done = subprocess.run(
        ["bash", str(script)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    *printed, rest = done.stdout.split(END)
    if done.returncode:
        raise Failed(f"{parts[len(printed)].command}\nprinted\n{rest}\n{done.stderr[-3000:]}")
    return printed


def agrees(shown: str, printed: str) -> bool:
    return re.fullmatch(pattern(shown), _flat(printed)) is not None


def pattern(shown: str) -> str:
    """A regular expression for what a page shows."""
    parts = re.split(f"({'|'.join(VARYING)})", _flat(shown))
    return "".join(_form(part) if number % 2 else re.escape(part) for number, part in enumerate(parts))


def _form(part: str) -> str:
    return next(form for example, form in VARYING.items() if re.fullmatch(example, part))


def _flat(text: str) -> str:
    """Pages break lines that would be too long, also after a bracket."""
    return re.sub(r"\s+", " ", text).replace("[ ", "[").strip()
