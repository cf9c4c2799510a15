"""The admin: every page opens, search finds rows by public id and email, the ledger is read-only, no secret shows."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import Organization, User
from apikeys.models import ApiKey
from billing.models import LedgerEntry, Payment
from billing.payments import payments, purchases
from tests import factories
from tests.browser import form_of
from tests.conftest import Api

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture(scope="module")
def alice(module_transaction: None) -> User:
    return factories.user("alice")


@pytest.fixture(scope="module")
def organization(alice: User) -> Any:
    return alice.current_organization


@pytest.fixture(scope="module")
def superuser(module_transaction: None) -> User:
    return User.objects.create_superuser(f"{factories.unique('operator')}@example.com", "x")


@pytest.fixture
def operator(superuser: User, db: None) -> Client:
    client = Client()
    client.force_login(superuser)
    return client


@pytest.fixture(scope="module")
def busy(organization: Any, alice: User) -> ApiKey:
    """A key of alice's organization, which has bought credits and used some."""
    gateway = Api(factories.platform_key())
    factories.card(organization)
    payments.complete(purchases.begin(organization, amount=Decimal(20), method=None, by="alice").pk)
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


def test_a_column_of_numbers_has_even_decimals_and_a_real_minus(
    operator: Client, busy: ApiKey, organization: Organization
) -> None:
    page = operator.get(changelist(LedgerEntry, "?o=2")).content.decode()
    assert re.findall(r'field-amount">([^<]*)<', page) == ["20.000", "\u22120.001"]
    assert "column-amount" in page


# How each model names the organization that owns the row.
OWNED = {
    "accounts.Organization": "pk",
    "billing.LedgerAccount": "pk",
    "billing.LedgerEntry": "account",
    "billing.Payment": "organization",
    "usage.UsageRollup": "organization",
}


def search(operator: Client, model: Any, term: str) -> set[Any]:
    """The rows that the admin's search box finds."""
    return set(operator.get(changelist(model), {"q": term}).context["cl"].queryset)


@pytest.mark.parametrize("label", OWNED)
def test_search_finds_what_an_owner_has_by_id_and_by_email(
    label: str, operator: Client, busy: ApiKey, alice: User, organization: Any
) -> None:
    model = next(model for model in MODELS if model._meta.label == label)
    own = set(model._default_manager.filter(**{OWNED[label]: organization.pk}))
    assert own
    for term in (organization.public_id, alice.email, organization.billing_account.public_id):
        assert own <= search(operator, model, term), term
    stranger = factories.user("stranger")
    assert not own & search(operator, model, stranger.email)


def test_search_finds_a_payment_by_its_public_id(operator: Client, busy: ApiKey, organization: Any) -> None:
    payment = Payment.objects.of(organization).get()
    assert search(operator, Payment, payment.public_id) == {payment}


def test_the_ledger_can_be_looked_at_and_nothing_else(operator: Client, busy: ApiKey) -> None:
    entry = LedgerEntry.objects.first()
    assert entry is not None
    page = reverse("admin:billing_ledgerentry_change", args=[entry.pk])
    assert operator.post(page, {"amount": "5"}).status_code == 403
    assert operator.post(reverse("admin:billing_ledgerentry_delete", args=[entry.pk])).status_code == 403
    assert operator.get(reverse("admin:billing_ledgerentry_add")).status_code == 403
    assert LedgerEntry.objects.get(pk=entry.pk).amount == entry.amount


def test_a_platform_key_made_here_shows_its_secret_once_and_works(operator: Client, alice: User) -> None:
    page = reverse("admin:apikeys_apikey_add")
    form_data = {**form_of(operator.get(page)), "name": "made here"}
    answer = operator.post(page, form_data)
    again = operator.post(page, form_data)  # as a reload does
    assert again["Location"] == changelist(ApiKey)
    assert ApiKey.objects.platform().filter(name="made here", created_by=None).count() == 1
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
    for path in ("/admin/", changelist(LedgerEntry)):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/admin/login/?next={path}")


def test_no_list_is_searched_by_a_part_of_an_id() -> None:
    ids = re.compile(r"(_id|email|reference|number|hint|intent|last4|token|digest)$|(^|__)to$")
    partial = [
        f"{model._meta.label}.{field}"
        for model, page in admin.site._registry.items()
        for field in map(str, page.search_fields)
        if not field.startswith("^") and ids.search(field)
    ]
    assert partial == []


def test_an_exact_id_leaves_out_those_that_only_have_it_in_their_names(operator: Client, organization: Any) -> None:
    stranger = factories.organization(f"not {organization.public_id}"[:60])
    assert search(operator, Organization, organization.public_id) == {organization}
    assert search(operator, Organization, f"  {organization.public_id[:12]}") >= {organization}
    assert search(operator, Organization, stranger.name) == {stranger}
    assert search(operator, Organization, organization.public_id[5:]) == {stranger}  # a part is no id
