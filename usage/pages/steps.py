"""The first steps of a new organization, as the overview shows them."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import Organization

# For each step of usage.reporting.onboarding: its title, a sentence, its page, and the scope that the page needs.
TEXTS = {
    "billing_account": (_("Say who pays"), _("A name, an email, a country."), "billing:credits", "account:write"),
    "card": (_("Add a card"), _("You choose when it is charged."), "billing:credits", "billing:write"),
    "credits": (_("Buy credits"), _("Calls that cost something need them."), "billing:credits", "credits:write"),
    "api_key": (_("Create an API key"), _("Your programs sign in with it."), "apikeys:create", "keys:write"),
    "first_request": (_("Make the first request"), _("With curl, once there is a key."), "", ""),
}


@dataclass(frozen=True)
class FirstStep:
    title: str
    text: str
    done: bool
    address: str


def shown(progress: Mapping[str, bool], organization: Organization, scopes: frozenset[str]) -> list[FirstStep]:
    """The steps as text. A step has an address only if the person may take it."""
    steps = []
    for name, done in progress.items():
        title, text, page, scope = TEXTS[name]
        address = reverse(page, args=[organization.public_id]) if scope in scopes else ""
        steps.append(FirstStep(str(title), str(text), done, address))
    return steps
