"""Who saves a form does not undo what happened to the row since it was read."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts import people
from accounts.admin import ChangedFieldsAdmin, ReadOnlyAdmin
from accounts.models import IdentityProvider, Organization, User
from billing.models import BillingAccount
from tests import factories
from tests.browser import signed_in

Meanwhile = Callable[..., None]


@pytest.fixture
def operator(db: None) -> Client:
    return signed_in(User.objects.create_superuser(f"{factories.unique('operator')}@example.com", "x"))


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Changes a row after a request has read it, and before it saves it."""
    save = Model.save_base

    def arrange(row: Model, **changes: Any) -> None:
        def late(instance: Model, *args: Any, **kwargs: Any) -> None:
            if instance.pk == row.pk:
                type(row)._default_manager.filter(pk=row.pk).update(**changes)
            save(instance, *args, **kwargs)

        monkeypatch.setattr(Model, "save_base", late)

    return arrange


def change_page(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def post(operator: Client, row: Model, **fields: Any) -> None:
    """What the admin's form of the row says already, and `said`."""
    form = operator.get(change_page(row)).context["adminform"].form
    initial = {name: form[name].value() for name in form.fields}
    inlines = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    filled = {name: value for name, value in {**initial, **inlines, **fields}.items() if value not in (None, False)}
    answer = operator.post(change_page(row), filled)
    assert answer.status_code == 302, answer.context["errors"]


def test_a_rename_does_not_undo_a_suspension(
    api: Any, alice: User, organization: Organization, meanwhile: Meanwhile
) -> None:
    meanwhile(organization, status="suspended")
    assert api(alice).patch(f"/v1/organizations/{organization.public_id}", {"name": "New"}).status_code == 200
    organization.refresh_from_db()
    assert (organization.name, organization.status) == ("New", "suspended")


def test_a_rename_does_not_undo_a_move(api: Any, alice: User, organization: Organization, meanwhile: Meanwhile) -> None:
    child, target = (people.add_child(organization, name=name) for name in ("child", "target"))
    meanwhile(child, parent=target, path=[*target.path, child.pk])
    assert api(alice).patch(f"/v1/organizations/{child.public_id}", {"name": "New"}).status_code == 200
    child.refresh_from_db()
    assert (child.name, child.parent, child.path) == ("New", target, [*target.path, child.pk])


def test_a_rename_in_the_admin_does_not_undo_a_suspension(
    operator: Client, organization: Organization, meanwhile: Meanwhile
) -> None:
    meanwhile(organization, status="suspended")
    post(operator, organization, name="New")
    organization.refresh_from_db()
    assert (organization.name, organization.status) == ("New", "suspended")


def test_a_budget_that_is_set_in_the_admin_does_not_undo_a_suspension(
    operator: Client, organization: Organization, meanwhile: Meanwhile
) -> None:
    meanwhile(organization, status="suspended")
    post(operator, organization, monthly_budget="12.5")
    organization.refresh_from_db()
    assert (organization.monthly_budget, organization.status) == (Decimal("12.5"), "suspended")


def test_a_billing_account_changed_in_the_admin_keeps_its_currency(
    operator: Client, organization: Organization, meanwhile: Meanwhile
) -> None:
    account: BillingAccount = factories.billing_account(organization)
    meanwhile(account, currency="USD")
    post(operator, account, name="New")
    account.refresh_from_db()
    assert (account.name, account.currency) == ("New", "USD")


def test_a_person_renamed_in_the_admin_keeps_their_new_password(
    operator: Client, alice: User, meanwhile: Meanwhile
) -> None:
    meanwhile(alice, password="another")
    post(operator, alice, name="New")
    alice.refresh_from_db()
    assert (alice.name, alice.password) == ("New", "another")


def test_a_provider_renamed_in_the_admin_stays_switched_off(
    operator: Client, organization: Organization, meanwhile: Meanwhile
) -> None:
    terms = {"name": "Acme", "issuer": "https://id.example.com", "client_id": "tollgate"}
    provider = IdentityProvider.objects.create(organization=organization, client_secret=b"sealed", **terms)
    provider.domains.create(domain="example.com")
    meanwhile(provider, is_enabled=False, client_secret=b"another")
    post(operator, provider, name="New")
    provider.refresh_from_db()
    assert (provider.name, provider.is_enabled, bytes(provider.client_secret)) == ("New", False, b"another")
    assert provider.domains.get().domain == "example.com"


def test_groups_given_in_the_admin_are_kept(operator: Client, alice: User) -> None:
    group = Group.objects.create(name="Support")
    post(operator, alice, groups=[group.pk])
    assert list(alice.groups.all()) == [group]


def test_a_form_of_the_admin_that_changes_nothing_saves_nothing(
    operator: Client, organization: Organization, meanwhile: Meanwhile
) -> None:
    meanwhile(organization, status="suspended")
    post(operator, organization)
    assert Organization.objects.get(pk=organization.pk).status == "active"  # there was no saving at which to change it


def test_a_profile_does_not_undo_a_deactivation(alice: User, meanwhile: Meanwhile) -> None:
    browser = signed_in(alice)
    meanwhile(alice, is_active=False)
    browser.post("/profile/", {"name": "Alice B.", "timezone": "Europe/Paris"})
    alice.refresh_from_db()
    assert (alice.name, alice.timezone, alice.is_active) == ("Alice B.", "Europe/Paris", False)


def test_a_new_password_does_not_undo_a_deactivation(alice: User, meanwhile: Meanwhile) -> None:
    browser = signed_in(alice)
    meanwhile(alice, is_active=False)
    new = "another long passphrase"
    browser.post("/accounts/password/change/", {"oldpassword": factories.PASSWORD, "password1": new, "password2": new})
    alice.refresh_from_db()
    assert alice.check_password(new)
    assert not alice.is_active


def test_every_form_of_the_admin_saves_what_it_changed_alone() -> None:
    others = [
        model.__name__
        for model, page in admin.site._registry.items()
        if not isinstance(page, ChangedFieldsAdmin | ReadOnlyAdmin)
    ]
    assert sorted(others) == ["ApiKey", "Group"]  # keys are only made there
