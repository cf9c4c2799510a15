"""The admin in Chromium, light and dark, wide and narrow: axe finds nothing, nothing overflows, and the CSP holds.

It takes minutes, so it is asked for: `ADMIN_LOOKS=1 pytest tests/usage/admin/test_looks.py`. Requests are answered by
Django's test client: there is no server.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.staticfiles import finders
from django.db import connections
from django.test import Client
from django.urls import reverse

from accounts.models import Organization
from apikeys.models import ApiKey
from tests.billing.admin.desk import ask, fields

CHROMIUM = "/usr/bin/chromium"
SIZES = (1280, 320)

pytestmark = pytest.mark.skipif(
    os.environ.get("ADMIN_LOOKS") != "1" or not Path(CHROMIUM).exists(), reason="needs ADMIN_LOOKS=1 and Chromium"
)


@pytest.fixture(params=["light", "dark"])
def page(request: Any, operator: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A page of a browser in which the operator is signed in. Whatever it reports as an error is in `page.reports`."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # playwright runs an event loop in this thread
    playwright = pytest.importorskip("playwright.sync_api")
    with sharing_the_transaction() as pool, playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(color_scheme=request.param)
        page.reports = []
        page.on("console", lambda message: page.reports.append(message.text) if message.type == "error" else None)
        page.route("**/*", lambda route: answer(route, pool, operator))
        yield page
        browser.close()


@contextmanager
def sharing_the_transaction() -> Iterator[ThreadPoolExecutor]:
    """A thread with the test's own connection, since code under playwright's event loop would get another one."""
    shared = connections["default"]
    shared.inc_thread_sharing()
    with ThreadPoolExecutor(1, initializer=lambda: connections.__setitem__("default", shared)) as pool:
        yield pool
    shared.dec_thread_sharing()


def answer(route: Any, pool: ThreadPoolExecutor, operator: Client) -> None:
    path = route.request.url.removeprefix("http://testserver")
    if path.startswith("/static/"):
        file = finders.find(path.removeprefix("/static/").partition("?")[0])
        route.fulfill(path=file) if file else route.fulfill(status=404)
        return
    response = pool.submit(operator.get, path, follow=True).result()  # a browser asks for redirects itself
    route.fulfill(status=response.status_code, headers=dict(response.headers), body=response.content)


def wrong(page: Any, path: str) -> list[str]:
    """What axe finds on a page, and what is wider than the screen."""
    axe = pytest.importorskip("axe_core_python.sync_playwright").Axe()
    problems = []
    for width in SIZES:
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"http://testserver{path}")
        actual = page.evaluate("document.documentElement.scrollWidth")
        problems += [
            f"{path} {width}: {row['id']} {row['nodes'][0]['html'][:120]}" for row in axe.run(page)["violations"]
        ]
        problems += [f"{path} is {actual} wide at {width}"] if actual > width else []
    return problems


def own_pages(organization: Organization) -> list[str]:
    customer = f"/admin/customers/{organization.public_id}/"
    form = reverse("admin:billing_changerequest_new", args=["grant", organization.public_id])
    ledger = reverse("admin:billing_ledgerentry_changelist")
    return ["/admin/", "/admin/search/?q=a", customer, f"{customer}visit/", form, ledger]


def lists_and_forms() -> Iterator[str]:
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        row = model._default_manager.first()
        if row is not None:
            yield reverse(f"{name}_change", args=[row.pk])


@pytest.fixture
def paths(operator: Client, busy: ApiKey, organization: Organization) -> list[str]:
    """Made before the browser starts."""
    ask(operator, "adjust", organization.public_id, **fields(amount="500"))
    return [*own_pages(organization), *lists_and_forms()]


def test_the_admin_is_accessible_and_fits(paths: list[str], page: Any) -> None:
    assert [problem for path in paths for problem in wrong(page, path)] == []
    assert page.reports == []
