"""The provider as tests hold it, and a person's browser that signs in there."""

import html
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.test import Client

from tests.openid.server import CLIENT, SECRET

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def running() -> Iterator[str]:
    """Its address. It ends with us, however we end."""
    command = [sys.executable, "-m", "tests.openid"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.kill()


def openid(address: str, mode: str, **fields: Any) -> dict[str, Any]:
    """Settings of a provider of ours."""
    issuer = f"{address}/{mode}"
    return {"id": mode, "name": mode.title(), "client_id": CLIENT, "client_secret": SECRET, "issuer": issuer, **fields}


def begin(browser: Client, provider: str, **fields: str) -> str:
    """Press the button, and take the link of the page in between."""
    page = browser.post(f"/accounts/providers/{provider}/", fields)
    assert page.status_code == 200, page.content
    return way_of(page)


def way_of(page: Any) -> str:
    return html.unescape(re.search(r'content="0;url=([^"]+)"', page.content.decode())[1])  # type: ignore[index]


def sign_in_there(url: str, **person: Any) -> str:
    """The address that the provider sends the browser back to."""
    address = f"{url}&{urlencode({'person': json.dumps(person)})}"
    with urllib.request.urlopen(address, timeout=10) as answer:
        link = re.search(r'href="([^"]+)"', answer.read().decode())[1]  # type: ignore[index]
    parts = urlsplit(html.unescape(link))
    return f"{parts.path}?{parts.query}"


def enter(browser: Client, provider: str, *, process: str = "login", next: str = "", **person: Any) -> Any:
    """The whole way there and back: what our callback answers."""
    url = begin(browser, provider, process=process, next=next)
    return browser.get(sign_in_there(url, **person))
