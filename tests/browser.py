"""Acts as a person who uses the dashboard."""

import re
from typing import Any

from django.contrib.messages import get_messages
from django.test import Client

from accounts.models import Organization, User


def signed_in(person: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(person)
    return client


def at(organization: Organization, path: str = "") -> str:
    """The address of a page of an organization."""
    return f"/o/{organization.public_id}/{path}"


def text(response: Any) -> str:
    """The page, as one line."""
    return re.sub(r"[ \n]+", " ", response.content.decode())


def messages_of(response: Any) -> list[str]:
    """The messages that the next page will show."""
    return [str(message) for message in get_messages(response.wsgi_request)]


def form_of(response: Any) -> dict[str, Any]:
    """What the form of an admin page sends if nothing is changed. Empty if the page is read-only."""
    form = response.context["adminform"].form
    prefixes = [inline.formset.prefix for inline in response.context["inline_admin_formsets"]]
    counts = {f"{prefix}-{name}_FORMS": "0" for prefix in prefixes for name in ("TOTAL", "INITIAL")}
    fields = {name: form[name].value() for name in form.fields}
    return {**counts, **{name: value for name, value in fields.items() if value not in (None, False)}}
