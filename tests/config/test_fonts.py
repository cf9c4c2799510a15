"""The font of the pages, which is made out of a wheel."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders

from config import fonts

CSS = Path(__file__).resolve().parents[2] / "static" / "tollgate" / "palette.css"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder without a font. Making one takes seconds, so it isn't made here."""
    monkeypatch.setattr(fonts, "STATE_DIR", tmp_path)
    monkeypatch.setattr(fonts, "_make", lambda path: path.write_bytes(b"wOF2"))
    return tmp_path


def test_it_is_made_once_and_found_beside_the_static_files(state: Path) -> None:
    finder = fonts.FontFinder()
    assert (finder.find(fonts.NAME), list(finder.list([]))) == ([], [])
    path = fonts.ensure()
    assert fonts.ensure() == path
    assert [file.name for file in path.parent.iterdir()] == ["inter.woff2"]
    assert finder.find(fonts.NAME) == str(path)
    assert [name for name, _ in finder.list([])] == [fonts.NAME]
    assert finders.find("tollgate/palette.css")


def test_collecting_the_static_files_makes_it(state: Path, settings: Any) -> None:
    settings.STATIC_ROOT = state / "static"
    ((name, storage),) = fonts.FontFinder().list([])
    assert storage.exists(name)


def test_the_style_sheet_and_the_wheel_have_it() -> None:
    assert 'url("inter.woff2")' in CSS.read_text()
    assert fonts.source().is_file()
