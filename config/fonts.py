"""The font of the pages: Inter, from a wheel, as a small WOFF2 file with the characters that the pages need.

It is made once, into the state folder, by `python -m config.fonts`: `make run` and `collectstatic` see to that. Until
it is there, pages have the system's font.
"""

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

from config.env import STATE_DIR

NAME = "tollgate/inter.woff2"
WHEEL, FILE = "fontpkg_inter", "files/Inter[opsz,wght].ttf"
FEATURES = ("calt", "case", "ccmp", "kern", "locl", "mark", "mkmk", "tnum")
# Latin with its European letters, punctuation, currencies, arrows, signs of mathematics and the marks of our own pages.
LETTERS = (
    *range(0x20, 0x7F),
    *range(0xA0, 0x180),
    *range(0x2010, 0x2028),
    *(0x2030, 0x2039, 0x203A, 0x20AC, 0x2122, 0x2190, 0x2191, 0x2192, 0x2193, 0x2212, 0x2260, 0x2264, 0x2265),
    *(0x25B8, 0x25BE, 0x2715),
)


def folder() -> Path:
    return STATE_DIR / "fonts"


def source() -> Path:
    """The whole font, in its wheel."""
    return Path(str(files(WHEEL).joinpath(FILE)))


def ensure() -> Path:
    """The font's file, which is made if it isn't there. Two processes that make it at once make the same file."""
    path = folder() / NAME
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        _make(unfinished)
        unfinished.replace(path)
    return path


def _make(path: Path) -> None:
    from fontTools import subset  # only whoever makes the font needs it

    options = subset.Options(flavor="woff2", layout_features=list(FEATURES))
    font = subset.load_font(str(source()), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=LETTERS)
    subsetter.subset(font)
    subset.save_font(font, str(path), options)


class FontFinder(BaseFinder):
    """Lets Django find the font beside the other static files."""

    def find(self, path: str, find_all: bool = False, **_: Any) -> Any:
        file = folder() / NAME
        there = [str(file)] if path == NAME and file.exists() else []
        return there if find_all else next(iter(there), [])

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, Any]]:
        """`collectstatic` makes the font. A server that looks for files takes it if it is there."""
        if settings.STATIC_ROOT:
            ensure()
        if (folder() / NAME).exists():
            yield NAME, FileSystemStorage(location=folder())


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    ensure()
