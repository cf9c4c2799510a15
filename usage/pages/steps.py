"""The first steps of a new organization, as the overview shows them."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.urls import reverse

from accounts.models import Organization

# For each step of usage.reporting.onboarding: its title, a sentence, its page, and the scope that the page needs.
TEXTS = {
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
    """The steps as text. A step has an address only if the person may take it."""
    steps = []
    for name, done in progress.items():
        title, text, page, scope = TEXTS[name]
        address = reverse(page, args=[organization.public_id]) if scope in scopes else ""
        steps.append(Step(title, text, done, address))
    return steps
