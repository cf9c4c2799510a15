"""The admin of organizations. Suspending and resuming are change requests: see the tests of billing's admin."""

from django.test import Client
from django.urls import reverse

from accounts.models import Organization


def test_the_status_is_no_field_of_the_form(operator: Client, organization: Organization) -> None:
    page = reverse("admin:accounts_organization_change", args=[organization.pk])
    assert "status" not in operator.get(page).context["adminform"].form.fields
