"""The first steps of a new organization, as the overview shows them."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.urls import reverse

from accounts.models import Organization

# What each fact of usage.reporting.onboarding is called, what it is good for, where it is done, and who may do it.
WORDS = {
    "billing_account": ("Say who pays", "A name, an email, a country.", "billing:credits", "account:write"),
    "card": ("Add a card", "You choose when it is charged.", "billing:credits", "billing:write"),
    "credits": ("Buy credits", "Calls that cost something need them.", "billing:credits", "credits:write"),
    "api_key": ("Create an API key", "Your programs sign in with it.", "apikeys:create", "keys:write"),
    "first_request": ("Make the first request", "It shows up here at once.", "", ""),
}


@dataclass(frozen=True)
class Step:
    title: str
    text: str
    done: bool
    address: str


def shown(progress: Mapping[str, bool], organization: Organization, scopes: frozenset[str]) -> list[Step]:
    """The steps in words; only those that the person may take have an address."""
    steps = []
    for name, done in progress.items():
        title, text, page, scope = WORDS[name]
        address = reverse(page, args=[organization.public_id]) if scope in scopes else ""
        steps.append(Step(title, text, done, address))
    return steps
