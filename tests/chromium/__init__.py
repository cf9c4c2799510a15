"""Every page in Chromium: what axe, the console and the policy say of it, whether it fits, and what Tab reaches.

`make test` opens each page of ours once, in a role, a size and a theme that change from page to page. The whole matrix
takes an hour of one core: `LOOKS=all .venv/bin/python -m pytest tests/chromium`; or that of some pages or roles, by
patterns: `LOOKS=billing:ledger`, `LOOKS=viewer,nobody`, `LOOKS=*_history`. `PICTURES=folder` saves what is seen.
"""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """Where Chromium is, if it is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


CHROMIUM = find()
MISSING = f"Chromium is not installed: none of {', '.join(NAMES)} is in PATH"
