"""What money and history refer to is changed in the admin, never deleted; and the customer learns of it."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import Event, Organization, User
from billing.models import AutoRecharge, BillingAccount, LedgerEntry, Meter, Plan, Price
from tests import factories
from tests.billing.api.reservations import place, resolve

BILLING = [model for model in admin.site._registry if model._meta.app_label == "billing"]


def page(model: Any, action: str, row: Any = None) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{action}", args=[row.pk] if row else None)


def fields_of(response: Any) -> dict[str, Any]:
    """What the page's form would send, if nothing was typed."""
    forms = [response.context["adminform"].form]
    for formset in response.context["inline_admin_formsets"]:
        forms += [formset.formset.management_form, *formset.formset.initial_forms]
    return {
        form.add_prefix(name): "" if form[name].value() is None else form[name].value()
        for form in forms
        for name in form.fields
    }


@pytest.fixture
def busy(organization: Organization) -> Organization:
    """Has a row of every kind that a customer makes."""
    factories.card(organization)
    factories.credit(organization, 100)
    AutoRecharge.objects.create(organization=organization)
    return organization


@pytest.mark.parametrize("model", BILLING, ids=lambda model: model.__name__)
def test_no_row_of_billing_is_deleted(model: Any, operator: Client, busy: Organization) -> None:
    row, before = model._default_manager.first(), model._default_manager.count()
    assert "delete_selected" not in operator.get(page(model, "changelist")).content.decode()
    chosen = {"action": "delete_selected", "_selected_action": [str(row.pk)] if row else [], "post": "yes"}
    operator.post(page(model, "changelist"), chosen)
    if row:
        assert operator.post(page(model, "delete", row), {"post": "yes"}).status_code == 403
    assert model._default_manager.count() == before


def test_the_page_of_a_row_shows_the_decimals_that_it_has(operator: Client, organization: Organization) -> None:
    factories.credit(organization, "1234.5")
    shown = operator.get(page(LedgerEntry, "change", LedgerEntry.objects.get())).content.decode()
    assert "1,234.5</div>" in shown
    assert "1234.500000000" not in shown


def test_a_meters_price_is_not_deleted_with_its_form(operator: Client, db: None) -> None:
    meter = Meter.objects.get(slug="sms")
    body = {**fields_of(operator.get(page(Meter, "change", meter))), "price-0-DELETE": "on"}
    operator.post(page(Meter, "change", meter), body)
    assert Price.objects.filter(meter=meter).exists()


def test_a_plan_that_is_sold_no_longer_is_not_offered(operator: Client, db: None) -> None:
    plan = Plan.objects.get(slug="developer")
    body = fields_of(operator.get(page(Plan, "change", plan)))
    del body["is_offered"]
    assert operator.post(page(Plan, "change", plan), body).status_code == 302
    assert not Plan.objects.get(slug="developer").is_offered


def test_an_operators_change_of_an_account_is_an_event(operator: Client, organization: Organization) -> None:
    account = factories.billing_account(organization)
    body = {
        **fields_of(operator.get(page(BillingAccount, "change", account))),
        "city": "Gotham",
        "line1": "Times Square",
    }
    assert operator.post(page(BillingAccount, "change", account), body).status_code == 302
    assert operator.post(page(BillingAccount, "change", account), body).status_code == 302  # changes nothing
    event = Event.objects.of(organization).get(type="billing_account.changed")
    by = f"user:{operator.session['_auth_user_id']}"
    assert event.data == {"fields": ["city", "line1"], "before": {}, "after": {}, "actor": by}
    erasable = event.personal_data.members
    assert erasable["before"] == {"line1": "", "city": ""}
    assert erasable["after"] == {"line1": "Times Square", "city": "Gotham"}


def test_a_vat_id_that_an_operator_enters_has_the_right_form_and_is_checked_again(
    operator: Client, organization: Organization
) -> None:
    account = factories.billing_account(organization, country="DE")
    BillingAccount.objects.update(vat_id_valid=True)
    address = page(BillingAccount, "change", account)
    assert operator.post(address, {**fields_of(operator.get(address)), "vat_id": "DE1"}).status_code == 200
    assert operator.post(address, {**fields_of(operator.get(address)), "vat_id": "de 136 695 976"}).status_code == 302
    account.refresh_from_db()
    assert (account.vat_id, account.vat_id_valid) == ("DE136695976", None)
    assert account.vat_id_due_at is not None


def test_a_budget_that_an_operator_sets_announces_what_it_crosses(
    operator: Client, api: Any, alice: User, funded: Organization
) -> None:
    """As a budget that is set over the API does: the admin goes through the same verb."""
    resolve(api(alice), place(api(alice), amount=60).json(), "capture")
    body = {**fields_of(operator.get(page(Organization, "change", funded))), "monthly_budget": "100"}
    assert operator.post(page(Organization, "change", funded), body).status_code == 302
    funded.refresh_from_db()
    assert funded.monthly_budget == 100
    changed, crossed = Event.objects.of(funded).order_by("pk")
    assert (crossed.type, crossed.data["threshold"]) == ("budget.crossed", 50)
    assert (changed.type, changed.data["after"]) == ("organization.changed", {"monthly_budget": 100})


def test_auto_recharge_is_not_switched_on_behind_its_owners_back(operator: Client, organization: Organization) -> None:
    settings = AutoRecharge.objects.create(organization=organization)
    assert operator.post(page(AutoRecharge, "change", settings), {"enabled": "on"}).status_code == 403
    assert operator.get(page(AutoRecharge, "add")).status_code == 403
    assert not AutoRecharge.objects.get(pk=settings.pk).enabled
