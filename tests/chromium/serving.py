"""Our pages, served by this process to a browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Thread
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.db import connections
from django.test.testcases import QuietWSGIRequestHandler

from config import fonts
from tests.chromium import CHROMIUM


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


@contextmanager
def served() -> Iterator[str]:
    """The address of a server that answers from the database that Django is connected to."""
    with ThreadedWSGIServer(("localhost", 0), QuietWSGIRequestHandler) as listening:
        handler()
        listening.set_app(answered)
        Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://localhost:{listening.server_port}"
        listening.shutdown()


@contextmanager
def started() -> Iterator[Any]:
    """A Chromium. Playwright runs an event loop in this thread: DJANGO_ALLOW_ASYNC_UNSAFE has to be set."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        connections.close_all()  # Django gives the code under that loop one of its own, which leads to this database
        browser.close()
    connections.close_all()
