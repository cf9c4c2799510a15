"""Each page in each role: it is well, fits, and can be used by keyboard."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from tests.chromium import inspection
from tests.chromium.inspection import LOOKS
from tests.chromium.routes import NO_PAGE, Page, pages, routes
from tests.chromium.world import World

CHOSEN = [text for text in os.environ.get("LOOKS", "").split(",") if text]
# Of the default run, axe looks at every so many pages whole, and they are walked through with Tab. The script looks at
# the focus in all of them.
WHOLE_EVERY = 16
MISSING_PAGES = {"404"}


def enter(page: Any, site: World, role: str, address: str) -> None:
    page.context.clear_cookies()
    if role in site.sessions:
        page.context.add_cookies([{"name": "sessionid", "value": site.sessions[role], "url": address}])


def opened(page: Any, path: str, *, refused: bool) -> list[str]:
    """Open it. That the status is one of a refusal is expected where it is, and the browser says so too."""
    page.reports.clear()
    response = page.goto(path)
    is_expected = response.status in ((403, 404) if refused else (200, 400))
    is_there = page.url.partition("?")[0].endswith(path.partition("?")[0]) or "/reset/key/" in path
    reports = [text for text in page.reports if "the server responded with a status of 4" not in text]
    return reports if is_expected and is_there else [*reports, f"answered {response.status} at {page.url}"]


@dataclass(frozen=True)
class Visit:
    """A page, opened in a role and looked at in some sizes and themes; whole, and walked through with Tab."""

    page: Page
    role: str
    looks: tuple[tuple[int, str], ...]
    whole: bool
    walk: bool


def visits(site: World) -> Iterator[Visit]:
    if not CHOSEN:
        for n, shown in enumerate(each for each in pages(site) if each.by_default):
            whole = n % WHOLE_EVERY == 0
            yield Visit(shown, shown.roles[n % len(shown.roles)], (LOOKS[n % len(LOOKS)],), whole, whole)
        return
    for shown in pages(site):
        for role in (*shown.roles, *shown.others):
            if any(fnmatch(name, chosen) for name in ("all", shown.name, role) for chosen in CHOSEN):
                yield Visit(shown, role, LOOKS, whole=True, walk=role == shown.roles[0])


def looked_at(page: Any, visit: Visit) -> list[str]:
    """What is wrong with the page in these sizes and themes."""
    shown, role, refused = visit.page, visit.role, visit.role in visit.page.others or visit.page.name in MISSING_PAGES
    inspection.turn(page, *visit.looks[0])
    wrong = [f"{shown.name} ({role}): {text}" for text in opened(page, shown.path, refused=refused)]
    for width, theme in visit.looks:
        inspection.turn(page, width, theme)
        problems = inspection.problems(page, whole=visit.whole)
        if visit.walk and theme == visit.looks[-1][1]:
            problems += inspection.passed_over(page)
        wrong += [f"{shown.name} ({role}, {width}, {theme}) {shown.path}: {text}" for text in problems]
        inspection.keep_picture(page, f"{shown.name} {shown.path.partition('?')[2]} {role} {width} {theme}")
    return wrong


def test_every_page(page: Any, site: World, address: str) -> None:
    """In one role, size and theme, or with LOOKS in all of them."""
    wrong = []
    for visit in visits(site):
        enter(page, site, visit.role, address)
        wrong += looked_at(page, visit)
    assert not wrong, "\n".join(wrong)


def test_what_is_named_as_no_page_exists() -> None:
    assert sorted(set(NO_PAGE) - {name for _, name, _ in routes()}) == []
