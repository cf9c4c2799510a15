"""Asks for something in the admin as an operator does: the form, its preview, the confirmation."""

import re
from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.lib import form_ids
from accounts.models import User
from billing.models import ChangeRequest
from tests import factories
from tests.browser import signed_in

REASON = "An apology for the outage"
NOTE = "Ticket 4711: angry, but right"
EVERYTHING = [name for name, _ in ChangeRequest._meta.permissions]


def staff(*codenames: str) -> User:
    """An operator who holds these permissions; by default all about requests."""
    person = User.objects.create_user(f"{factories.unique('staff')}@example.com", factories.PASSWORD, is_staff=True)
    chosen = codenames or (*EVERYTHING, "view_changerequest")
    person.user_permissions.set(Permission.objects.filter(codename__in=chosen))
    return person


def address(kind: str, subject: str) -> str:
    return reverse("admin:billing_changerequest_new", args=[kind, subject])


def fields(**typed: object) -> dict[str, object]:
    """What the form sends."""
    return {"reason": REASON, "note": NOTE, "form_id": form_ids.new(), **typed}


def preview(browser: Client, kind: str, subject: str, typed: dict[str, object]) -> Any:
    return browser.post(address(kind, subject), typed)


def seen(page: Any) -> str:
    """The token of the preview that a page shows."""
    match = re.search(r'name="seen" value="([^"]+)"', page.content.decode())
    return match[1] if match else ""


def confirm(browser: Client, kind: str, subject: str, typed: dict[str, object], token: str) -> Any:
    return browser.post(address(kind, subject), {**typed, "seen": token, "confirmed": "Do it"}, follow=True)


def ask(browser: Client, kind: str, subject: str, **typed: object) -> Any:
    """The page that follows once it is confirmed."""
    body = fields(**typed)
    return confirm(browser, kind, subject, body, seen(preview(browser, kind, subject, body)))


def decide(browser: Client, request: ChangeRequest, verb: str) -> Any:
    page = browser.get(reverse("admin:billing_changerequest_change", args=[request.pk]))
    body = {verb: verb, "seen": seen(page)}
    return browser.post(reverse("admin:billing_changerequest_decide", args=[request.pk]), body, follow=True)


def browser_of(*codenames: str) -> Client:
    return signed_in(staff(*codenames))
