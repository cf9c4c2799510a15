"""What a German page still says in English: every page is read in both languages, and the texts are compared.

It reads some 400 pages twice, and so is run only when asked for:
`GERMAN=1 .venv/bin/python -m pytest tests/chromium/test_german.py`.
"""

import os
import re
import zoneinfo
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from django.apps import apps
from django.db.models import CharField, TextField
from django.test import Client
from django.utils.translation import trans_real

from accounts.lib import countries, languages
from tests.chromium.routes import Page, pages
from tests.chromium.world import World

WORD = re.compile(r"[A-Za-z]{3,}")
# Ids, scopes, names of events, addresses; cards; rows as Python prints them; and texts of packages that have no German.
NO_TEXT = re.compile(
    r"[*@/_.:\[{\w]*[/_:.@][\w/:.@{}…\"\]-]+( \d+)?|[a-z_:.]+(, [a-z_:.]+)+|.*••••.*|.*…\w{4}|.*[0-9a-f]{12}.*"
    r"|.*_[0-9a-zA-Z]{14,}.*|\{\".*|\w+ user:\d+|user:\d+ \w+|True|False|.*@example.*"
    r"|Group-permission.*|Group_permissions.*|MFA.*|.*Can (add|change|delete|view).*"
    r"|[\d.]+ a \w+|\d+ requests (at|in) .*|purchase .*|invoice \d+ of .*|statement of .*|auto-recharge of .*"
)
# Names, what is typed, and members of data.
NAMES = {
    *("CSV", "PDF", "JSON Lines", "GitHub", "Google", "Microsoft", "JavaScript", "Python", "Tollgate", "curl"),
    *("English", "Deutsch", "Laptop", "webhook-id", "system", "Form id", "Search", "Ticket 4711: figures"),
    *("amount", "target", "threshold", "Region"),
}
SILENT = {"code", "pre", "script", "style", "svg"}
SPOKEN = ("aria-label", "placeholder", "title", "alt")
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
BUTTONS = {"submit", "button", "reset"}


class Texts(HTMLParser):
    """The texts of a page that a person reads or hears."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._keep(*(values.get(name) for name in SPOKEN))
        if tag == "input" and values.get("type") in BUTTONS:
            self._keep(values.get("value"))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while tag in self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not SILENT.intersection(self.open):
            self._keep(data)

    def _keep(self, *texts: str | None) -> None:
        self.found |= {" ".join(text.split()) for text in texts if text and WORD.search(text)}


def data() -> Iterator[str]:
    """The texts that rows have: names, descriptions, ids."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, CharField | TextField):
                yield from (str(text) for text in model._default_manager.values_list(field.name, flat=True).distinct())


def same_in_german() -> set[str]:
    """Texts whose German is the same as their English: “Name”."""
    languages.load("de")
    catalog = trans_real.translation("de")._catalog  # type: ignore[attr-defined]
    texts = catalog.keys()  # it can't be walked through itself
    return {text for text in texts if isinstance(text, str) and catalog.get(text) == text}


def left_in_english(site: World, page: Page, role: str) -> set[str]:
    def read(language: str) -> set[str]:
        client = Client(headers={"Accept-Language": language})
        if role in site.sessions:
            client.cookies["sessionid"] = site.sessions[role]
        return Texts(client.get(page.path).content.decode()).found

    return read("en") & read("de")


def is_known(piece: str, known: set[str]) -> bool:
    bare = piece.strip("›: ")
    return (
        not WORD.search(bare) or bare in known or bare[:1].lower() + bare[1:] in known or bool(NO_TEXT.fullmatch(bare))
    )


@pytest.mark.skipif("GERMAN" not in os.environ, reason="reads every page twice")
def test_no_page_is_left_in_english(site: World) -> None:
    known = {*data(), *same_in_german(), *NAMES, *countries.names("en").values()}
    known |= {zone.replace("_", " ") for zone in zoneinfo.available_timezones()}
    english: dict[str, str] = {}
    for page in pages(site):
        for role in (page.roles[0], *page.others[:1]):
            for text in left_in_english(site, page, role):
                if not is_known(text, known) and not all(
                    is_known(piece, known) for piece in re.split(" [·|] |: ", text)
                ):
                    english.setdefault(text, f"{page.name} ({role}) {page.path}")
    if english:
        pytest.fail("\n".join(f"{text!r}: {where}" for text, where in sorted(english.items())))
