"""The admin of security policies: operators let in customers who have locked themselves out."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Organization, SecurityPolicy, User


@pytest.fixture
def locked_out(organization: Organization) -> SecurityPolicy:
    return SecurityPolicy.objects.create(organization=organization, allowed_networks=["192.0.2.0/24"])


def change(operator: Client, policy: SecurityPolicy, **fields: str) -> Any:
    page = reverse("admin:accounts_securitypolicy_change", args=[policy.pk])
    assert operator.get(page).status_code == 200
    blank = {"allowed_networks": "", "allowed_email_domains": "", "longest_key_life_days": ""}
    return operator.post(page, {**blank, **fields})


def test_who_is_locked_out_is_let_in(operator: Client, api: Any, alice: User, locked_out: SecurityPolicy) -> None:
    assert api(alice).get("/v1/members").status_code == 403
    assert change(operator, locked_out, allowed_networks="127.0.0.9/8").status_code == 302
    assert api(alice).get("/v1/members").status_code == 200
    locked_out.refresh_from_db()
    assert locked_out.allowed_networks == ["127.0.0.0/8"]


@pytest.mark.parametrize("field", ["allowed_networks", "allowed_email_domains"])
def test_what_is_no_network_or_domain_is_refused(operator: Client, locked_out: SecurityPolicy, field: str) -> None:
    answer = change(operator, locked_out, **{field: "no such thing"})
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors.keys() == {field}
    locked_out.refresh_from_db()
    assert locked_out.allowed_networks == ["192.0.2.0/24"]


def test_it_is_not_deleted(operator: Client, locked_out: SecurityPolicy) -> None:
    page = reverse("admin:accounts_securitypolicy_delete", args=[locked_out.pk])
    assert operator.post(page, {"post": "yes"}).status_code == 403
    assert SecurityPolicy.objects.exists()
