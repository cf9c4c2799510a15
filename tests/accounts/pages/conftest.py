"""Our pages in Chromium, served by this process."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.db import connections
from django.test.testcases import QuietWSGIRequestHandler

from config import fonts

CHROMIUM = "/usr/bin/chromium"


@cache
def handler() -> WSGIHandler:
    """With the font, which `make run` makes, and which is looked for when the handler is made."""
    fonts.ensure()
    return WSGIHandler()


def answered(environ: Any, start_response: Any) -> Any:
    """Each request has a thread of its own, whose connection would stay open."""
    try:
        return handler()(environ, start_response)
    finally:
        connections.close_all()


@pytest.fixture
def server(committed: None) -> Iterator[str]:
    with ThreadedWSGIServer(("localhost", 0), QuietWSGIRequestHandler) as listening:
        handler()
        listening.set_app(answered)
        Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://localhost:{listening.server_port}"
        listening.shutdown()


@pytest.fixture
def page(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # playwright runs an event loop in this thread
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(base_url=server)
        context.set_default_timeout(15_000)
        yield context.new_page()
        browser.close()
        connections.close_all()  # Django gives the code under that loop a connection of its own
