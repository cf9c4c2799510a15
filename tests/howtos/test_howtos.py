"""The quickstart, the how-tos and the examples of gateways, run word for word, and what they print. `make howtos`."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.howtos import documents
from tests.howtos.conftest import environment, needs_time
from tests.howtos.documents import Block


def blocks(folder: Path, port: int, page: str, *, after: str = "") -> list[Block]:
    """Those of a page, at the port of this server."""
    shown = documents.blocks(folder / page, after=after)
    return [replace(block, command=block.command.replace(":8000", f":{port}")) for block in shown]


def follow(folder: Path, steps: list[Block]) -> None:
    """AssertionError with what was printed, of blocks whose page says something else."""
    printed = documents.run(steps, folder=folder, environment=environment())
    pairs = zip(steps, printed, strict=True)
    wrong = [f"{text}\ninstead of\n{step.output}" for step, text in pairs if not is_right(step, text)]
    assert not wrong, "\n".join(wrong)


def is_right(step: Block, text: str) -> bool:
    """Without an example, it is enough that nothing was refused."""
    return documents.agrees(step.output, text) if step.output else '"status": 4' not in text


@needs_time
def test_the_quickstart(running: tuple[Path, int]) -> None:
    folder, port = running
    follow(folder, blocks(folder, port, "README.md", after="## Quickstart"))


@needs_time
def test_gateways_and_howtos(running: tuple[Path, int]) -> None:
    """The how-tos begin with what the page of gateways has set up."""
    folder, port = running
    pages = [blocks(folder, port, page) for page in ("docs/gateway.md", "docs/howto.md")]
    follow(folder, [block for page in pages for block in page])
    proof = [sys.executable, "manage.py", "check_ledger"]
    assert subprocess.run(proof, cwd=folder, env=environment(), check=False).returncode == 0


def test_an_example_that_tells_something_else_is_noticed() -> None:
    """The control."""
    shown = '{"id": "hold_01a2…", "captured": 0.02,\n "expires_at": "2026-11-22T22:48:04Z", …, "late": false}'
    printed = '{"id": "hold_7af3", "captured": 5, "expires_at": "2027-01-02T03:04:05.678Z", "a": {}, "late": false}'
    assert documents.agrees(shown, printed)
    assert not documents.agrees(shown, printed.replace("false", "true"))
    assert not documents.agrees(shown, printed.replace("captured", "held"))


def test_a_command_that_fails_is_noticed(tmp_path: Path) -> None:
    steps = [Block("echo fine\n", ""), Block("false\n", "")]
    with pytest.raises(documents.Failed, match="false"):
        documents.run(steps, folder=tmp_path, environment=environment())
