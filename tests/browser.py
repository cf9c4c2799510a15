"""A person at the dashboard."""

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
