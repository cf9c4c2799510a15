"""The admin: every page opens, search finds by any public id or email, the ledger can't be changed, no secret shows."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import User
from apikeys.models import ApiKey
from billing.models import LedgerEntry, Payment
from billing.payments import payments
from tests import factories
from tests.conftest import Api

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def operator(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser(f"{factories.unique('operator')}@example.com", "x"))
    return client


@pytest.fixture
def busy(organization: Any, alice: User, gateway: Api) -> ApiKey:
    """A key of alice's organization, which has bought credits and used some."""
    factories.card(organization)
    payments.complete(payments.begin(organization, amount=Decimal(20), method=None, by="alice").pk)
    key, _ = factories.key(organization, created_by=alice)
    event = {"id": "e1", "key_id": key.public_id, "meter": "requests"}
    assert gateway.post("/v1/usage/events", event).json()["accepted"] == 1
    return key


def changelist(model: type, query: str = "") -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") + query  # type: ignore[attr-defined]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_list_opens_and_every_row_in_it(model: Any, operator: Client, busy: ApiKey) -> None:
    assert operator.get(changelist(model, "?q=nothing-has-this-name")).status_code == 200
    assert operator.get(changelist(model)).status_code == 200
    row = model._default_manager.first()
    if row is not None:
        page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
        assert operator.get(page).status_code == 200


OWNED = [
    "accounts.Organization",
    "billing.LedgerAccount",
    "billing.LedgerEntry",
    "billing.Payment",
    "usage.UsageRollup",
]


@pytest.mark.parametrize("label", OWNED)
def test_search_finds_what_an_owner_has_by_id_and_by_email(
    label: str, operator: Client, busy: ApiKey, alice: User, organization: Any
) -> None:
    model = next(model for model in MODELS if model._meta.label == label)
    for term in (organization.public_id, alice.email, organization.billing_account.public_id):
        found = operator.get(changelist(model), {"q": term}).context["cl"].queryset
        assert found.exists(), term
    foreign = factories.user("stranger")
    theirs = operator.get(changelist(model), {"q": foreign.email}).context["cl"].queryset
    assert not theirs.filter(pk__in=model._default_manager.filter(organization_filter(label, organization))).exists()


def organization_filter(label: str, organization: Any) -> Any:
    from django.db.models import Q

    names = {"accounts.Organization": "pk", "billing.LedgerEntry": "account"}
    return Q(**{names.get(label, "organization"): organization.pk})


def test_search_finds_a_payment_by_its_public_id(operator: Client, busy: ApiKey, organization: Any) -> None:
    payment = Payment.objects.of(organization).get()
    found = operator.get(changelist(Payment), {"q": payment.public_id}).context["cl"].queryset
    assert list(found) == [payment]


def test_the_ledger_can_be_looked_at_and_nothing_else(operator: Client, busy: ApiKey) -> None:
    entry = LedgerEntry.objects.first()
    assert entry is not None
    page = reverse("admin:billing_ledgerentry_change", args=[entry.pk])
    assert operator.post(page, {"amount": "5"}).status_code == 403
    assert operator.post(reverse("admin:billing_ledgerentry_delete", args=[entry.pk])).status_code == 403
    assert operator.get(reverse("admin:billing_ledgerentry_add")).status_code == 403
    assert LedgerEntry.objects.get(pk=entry.pk).amount == entry.amount


def test_a_platform_key_made_here_shows_its_secret_once_and_works(operator: Client, alice: User) -> None:
    answer = operator.post(reverse("admin:apikeys_apikey_add"), {"name": "gateway"})
    secret = answer.context["secret"]
    assert "no-store" in answer["Cache-Control"]
    assert Api(secret).get("/v1/whoami").json()["kind"] == "platform_key"
    key = ApiKey.objects.platform().latest("created_at")
    page = operator.get(reverse("admin:apikeys_apikey_change", args=[key.pk])).content.decode()
    assert key.public_id in page
    assert secret not in page


def test_revoking_in_the_admin_works_on_the_next_request(operator: Client, busy: ApiKey, organization: Any) -> None:
    key, secret = factories.key(organization, created_by=busy.created_by, permissions=["usage:read"])
    assert Api(secret).get("/v1/whoami").status_code == 200
    operator.post(changelist(ApiKey), {"action": "revoke", "_selected_action": [str(key.pk)]})
    assert Api(secret).get("/v1/whoami").status_code == 401


def test_a_customer_is_not_let_in(alice: User) -> None:
    client = Client()
    client.force_login(alice)
    assert client.get("/admin/").status_code in (302, 403)
    assert client.get(changelist(LedgerEntry)).status_code in (302, 403)
