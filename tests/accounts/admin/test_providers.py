"""Organizations' own providers of sign-ins, which operators enter."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Event, IdentityProvider, Organization
from accounts.providers import registry
from tests.browser import form_of
from tests.leaks import tables_with

ADD = reverse("admin:accounts_identityprovider_add")
FIELDS = {
    "name": "Acme",
    "issuer": "https://id.example.com",
    "client_id": "tollgate",
    "secret": "a secret of theirs",
    "domains": "Example.com\nexample.org",
    "is_enabled": "on",
}


def add(operator: Client, organization: Organization, **changes: str) -> Any:
    return operator.post(ADD, {**FIELDS, "organization": str(organization.pk), **changes})


def test_it_is_entered_and_changed_and_its_secret_is_sealed(operator: Client, organization: Organization) -> None:
    assert add(operator, organization).status_code == 302
    row = IdentityProvider.objects.get()
    assert not tables_with(FIELDS["secret"])
    provider = registry.of_email("ann@example.org")
    assert provider
    assert provider.client_secret == FIELDS["secret"]
    assert provider.domains == frozenset({"example.com", "example.org"})
    page = reverse("admin:accounts_identityprovider_change", args=[row.pk])
    shown = operator.get(page)
    assert FIELDS["secret"] not in shown.content.decode()
    changed = {**form_of(shown), "secret": "", "domains": "example.com"}
    changed.pop("is_enabled")
    assert operator.post(page, changed).status_code == 302
    assert registry.find(row.public_id) is None
    assert registry.of_email("ann@example.com") is None
    made, event = Event.objects.filter(type__startswith="identity_provider").order_by("id")
    assert made.data["domains"] == ["example.com", "example.org"]
    assert event.data["fields"] == ["is_enabled", "domains"]
    assert FIELDS["secret"] not in str([made.data, event.data])


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "http://id.example.com"},
        {"issuer": "https://10.0.0.1"},
        {"issuer": "https://a@id.example.com"},
        {"issuer": "javascript:alert(1)"},
        {"domains": "not a domain!"},
        {"domains": ""},
        {"secret": ""},
    ],
)
def test_nonsense_is_refused(operator: Client, organization: Organization, changes: dict[str, str]) -> None:
    answer = add(operator, organization, **changes)
    assert answer.status_code == 200
    assert set(answer.context["adminform"].form.errors) == set(changes)
    assert not IdentityProvider.objects.exists()


def test_a_domain_leads_to_one_provider(operator: Client, organization: Organization) -> None:
    add(operator, organization)
    answer = add(operator, organization, domains="example.com")
    assert "leads to another provider already" in answer.content.decode()
    assert IdentityProvider.objects.count() == 1
