"""The languages of pages and emails. Texts are marked for gettext; `locale/` has the translations.

Translations are files of text, which we read ourselves when a language is first spoken: no machine needs gettext's
compiler. Whatever runs without a person speaks English.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils import translation
from django.utils.translation import trans_real

from accounts.lib.problems import Problem
from accounts.lib.sentences import Sentence

COMMAS = {"de"}  # they write 1.250,5
GROUPED = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
SWAPPED = str.maketrans(",.", ".,")
FOLDER = Path(__file__).resolve().parents[2] / "locale"


def codes() -> list[str]:
    return [code for code, _ in settings.LANGUAGES]


def path(language: str) -> Path:
    """The file of its translations. English has none: the texts in the code are English."""
    return FOLDER / language / "LC_MESSAGES" / "django.po"


def activate(language: str) -> None:
    """Use the language in this thread from now on; inside `spoken`, until that ends."""
    load(language)
    translation.activate(language)


@contextmanager
def spoken(language: str) -> Iterator[None]:
    """Use the language in this block. Empty is English."""
    language = language or settings.LANGUAGE_CODE
    load(language)
    with translation.override(language):
        yield


def of_page() -> str:
    """The language to store for a person who signs up on this page. Empty for English: then the browser may decide."""
    language = translation.get_language() or ""
    return "" if language == settings.LANGUAGE_CODE else language


def written(number: str) -> str:
    """A number such as `1,250.5` as the language writes it. Django's own localization would reach into SVG and CSS."""
    return number.translate(SWAPPED) if translation.get_language() in COMMAS else number


def typed(number: str) -> str:
    """A number that a person typed, with its decimal mark as a point. One with both marks is left as it is."""
    has_comma = translation.get_language() in COMMAS and "." not in number
    return number.replace(",", ".") if has_comma else number


def has_two_meanings(number: str) -> bool:
    """Such as `1.250`: 1250 where people write commas, and 1.25 to those who type a point nevertheless."""
    return translation.get_language() in COMMAS and bool(GROUPED.fullmatch(number))


def translated(text: str) -> str:
    """A text that is English in code and in the API, such as the detail of a problem, translated for a page."""
    if isinstance(text, Sentence):
        return translation.gettext(text.template) % text.values
    return translation.gettext(text) if text else ""


def sentence(problem: Problem) -> str:
    """`Problem.sentence`, as pages show it."""
    return " ".join(translated(error["detail"]) for error in problem.errors) or translated(str(problem))


@cache
def load(language: str) -> None:
    """Adds our texts to those of Django and its packages."""
    if not (file := path(language)).exists():
        return
    compiled = BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    trans_real.translation(language).merge(GNUTranslations(compiled))
