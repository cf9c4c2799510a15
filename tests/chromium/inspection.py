"""Looks at a page that is open in Chromium, and lists what is wrong with it."""

import os
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

SCRIPTS = (Path(str(files("axe_core_python") / "axe.min.js")), Path(__file__).parent / "inspect.js")
WIDTHS, THEMES = (1280, 320), ("light", "dark")
LOOKS = tuple((width, theme) for width in WIDTHS for theme in THEMES)
HEIGHT = 800
PICTURES = os.environ.get("PICTURES", "")


def watch(page: Any) -> None:
    """From now on `page.reports` has what the browser complains of. A breach of the policy is among it."""
    page.reports = []
    page.on("console", lambda message: page.reports.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.reports.append(str(error)))
    for script in SCRIPTS:
        page.add_init_script(path=script)


def turn(page: Any, width: int, theme: str) -> None:
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.emulate_media(color_scheme=theme)


def keep_picture(page: Any, name: str) -> None:
    """Of the whole page, where PICTURES names a folder for them."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.png", full_page=True)


def problems(page: Any, *, whole: bool = True) -> list[str]:
    """Of the page as it is shown now; unless `whole`, axe looks only at its main part, and not at its colours."""
    page.keyboard.press("Tab")  # or the focus isn't shown as for a keyboard
    script = """async (isWhole) => [
        ...looks.overflow(), ...looks.small(), ...looks.unreachable(), ...await looks.violations(isWhole),
        ...looks.focus(),
    ]"""
    return list(page.evaluate(script, whole))


def passed_over(page: Any) -> list[str]:
    """What Tab, pressed as often as there are things to reach, did not come to."""
    for _ in range(page.evaluate("looks.begin()") + 2):
        page.keyboard.press("Tab")
    return list(page.evaluate("looks.missed()"))
