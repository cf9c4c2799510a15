"""The texts to translate. `make words` adds new texts to the files of `locale/`, and removes old ones.

It is pure Python: gettext's programs aren't needed.
"""

import ast
import os
from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path

import django
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from django.apps import apps
from django.contrib import admin
from django.utils.translation.template import templatize

from accounts import scopes
from accounts.lib import languages
from accounts.lib.problems import TITLES
from config import names

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "apikeys", "billing", "config", "usage")
CALLS = {
    "_": None,
    "filled": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}
Text = tuple[str | tuple[str, str], str | None]  # with its plural, if it has one, and its context
HEADER = """\
# The texts of Tollgate's pages and emails. `make words` adds what is new and takes out what is gone.
msgid ""
msgstr ""
"Language: %s\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: %s\\n"

"""


def marked() -> set[Text]:
    """The texts that templates and code mark, and the names that the admin shows; each with its context."""
    return {*_of_templates(), *_of_code(), *((text, None) for text in names.texts(admin.site))}


def catalog() -> Catalog:
    """Every text that pages may show, without a translation."""
    texts = Catalog()
    for text, context in sorted({*marked(), *_details(), *_labels()}, key=str):
        texts.add(text, context=context)
    return texts


def read(language: str) -> Catalog:
    with languages.path(language).open("rb") as file:
        return read_po(file, locale=language)


def update(language: str) -> Catalog:
    """Brings the file up to date. A new text has no translation yet: nothing is guessed from a similar text."""
    words = read(language)
    words.update(catalog(), no_fuzzy_matching=True)
    words.obsolete.clear()
    write(words)
    return words


def write(words: Catalog) -> None:
    """Writes no dates and no source lines, which would cause conflicts whenever two people add texts."""
    with languages.path(str(words.locale)).open("wb") as file:
        file.write((HEADER % (words.locale, words.plural_forms)).encode())
        write_po(file, words, width=120, no_location=True, sort_output=True, omit_header=True)


def _of_templates() -> Iterator[Text]:
    for file in sorted((ROOT / "templates").rglob("*.*")):
        # What isn't a text becomes one long word, and its indentation would make no sense in Python.
        code = "\n".join(line.strip() for line in templatize(file.read_text()).splitlines())
        yield from _calls(code)


def _of_code() -> Iterator[Text]:
    for app in APPS:
        for file in sorted((ROOT / app).rglob("*.py")):
            code = file.read_text()
            if "gettext" in code or "filled(" in code:
                yield from _calls(code)


def _calls(code: str) -> Iterator[Text]:
    for _, text, _, context in extract("python", BytesIO(code.encode()), CALLS):
        yield (text[0], text[1]) if isinstance(text, tuple) else text, context


def _details() -> Iterator[Text]:
    """The details of problem documents: always English in the API, and in the person's language on pages."""
    for app in APPS:
        for file in sorted((ROOT / app).rglob("*.py")):
            if "    detail = " not in (code := file.read_text()):
                continue
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.ClassDef):
                    yield from ((text, None) for line in node.body if (text := _detail(line)))


def _detail(line: ast.stmt) -> str:
    match line:
        case ast.Assign(targets=[ast.Name(id="detail")], value=ast.Constant(value=str(text))):
            return text
    return ""


def _labels() -> Iterator[Text]:
    """What pages call the values of a choice, errors, scopes and types of events."""
    yield from ((title, None) for title in TITLES.values())
    yield from ((part.title(), None) for scope in scopes.ALL for part in scope.split(":"))
    types = import_module("accounts.events").TYPES  # its models can't be imported before Django is set up
    yield from ((text, None) for type in types.values() for text in (type.noun, type.description))
    yield from ((str(member.label), None) for member in names.members())
    for model in apps.get_models():
        for field in model._meta.get_fields() if model.__module__.startswith(APPS) else ():
            for _, label in getattr(field, "choices", None) or ():
                yield str(label), None


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    for folder in sorted(languages.FOLDER.iterdir()):
        missing = [message.id for message in update(folder.name) if message.id and not message.string]
        print(f"{folder.name}: {len(missing)} texts have no translation")  # noqa: T201
