"""What each group of operators may see and do: every list, every page of the desk, every kind of request."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client, RequestFactory

from accounts.models import Organization, User
from billing.change_requests import ACTIONS
from tests import factories
from tests.browser import signed_in
from usage import operator_groups

MODELS = {f"{model._meta.app_label}.{model._meta.model_name}": page for model, page in admin.site._registry.items()}
CATALOG = {"billing.meter", "billing.plan", "billing.price"}
MONEY = {
    *("billing.taxrate", "billing.invoiceseries", "billing.receivedevent", "usage.ledgerproof"),
    "billing.financepackage",
}
OF_CUSTOMERS = {
    *("accounts.organization", "accounts.user", "accounts.invitation", "accounts.event", "accounts.securitypolicy"),
    *("accounts.webhookendpoint", "accounts.delivery", "accounts.redelivery", "apikeys.apikey"),
    *("billing.billingaccount", "billing.ledgeraccount", "billing.ledgerentry", "billing.grant", "billing.hold"),
    *("billing.payment", "billing.refund", "billing.dispute", "billing.invoice", "billing.paymentmethod"),
    *("billing.autorecharge", "billing.subscription", "billing.changerequest"),
    *("usage.usagerollup", "usage.monthlyusage", "usage.monthclose", "usage.importedfile"),
}
# What a group sees, changes and adds. Requests are listed separately; nobody deletes anything that isn't named.
SEES: dict[str, set[str]] = {
    "nobody": set(),
    "support": OF_CUSTOMERS,
    "finance": OF_CUSTOMERS | CATALOG | MONEY,
    "catalog": {*CATALOG, "billing.changerequest"},
    "auditor": set(MODELS) - {"socialaccount.socialapp"},
    "owner": set(MODELS) - {"socialaccount.socialapp"},
}
CHANGES: dict[str, set[str]] = {
    "nobody": set(),
    "support": {
        *("accounts.user", "accounts.invitation", "accounts.securitypolicy", "accounts.delivery"),
        *("accounts.webhookendpoint", "apikeys.apikey"),
    },
    "finance": {"billing.billingaccount", "billing.taxrate"},
    "catalog": {"billing.meter", "billing.plan"},
    "auditor": set(),
}
ADDS: dict[str, set[str]] = {
    "nobody": set(),
    "support": set(),
    "finance": {"billing.taxrate"},
    "catalog": {"billing.meter", "billing.plan"},
    "auditor": set(),
}
ASKS: dict[str, set[str]] = {
    "nobody": set(),
    "support": {"grant", "suspend", "resume"},
    "finance": {"adjust", "grant", "reverse", "refund", "credit_note", "write_off", "credit_limit"},
    "catalog": {"price"},
    "auditor": set(),
    "owner": set(ACTIONS),
}
PAGES: dict[str, set[str]] = {
    "nobody": {"home"},
    "support": {"home", "search", "customer", "visit", "note"},
    "finance": {"home", "search", "customer", "note", "approve", "export"},
    "catalog": {"home", "approve"},
    "auditor": {"home", "search", "customer", "export"},
    "owner": {"home", "search", "customer", "visit", "note", "approve", "export"},
}


def member_of(name: str) -> User:
    person = User.objects.create_user(f"{factories.unique('staff')}@example.com", factories.PASSWORD, is_staff=True)
    person.groups.set(Group.objects.filter(name=name))
    return person


def allowed(person: User, verb: str) -> set[str]:
    request = RequestFactory().get("/")
    request.user = person
    return {label for label, page in MODELS.items() if getattr(page, f"has_{verb}_permission")(request)}


@pytest.mark.parametrize("name", SEES)
def test_a_group_sees_and_changes_what_its_work_needs(db: None, name: str) -> None:
    person = member_of(name)
    assert allowed(person, "view") == SEES[name]
    if name != "owner":
        assert allowed(person, "change") == CHANGES[name]
        assert allowed(person, "add") == ADDS[name]
        assert allowed(person, "delete") == set()


def test_an_owner_is_no_superuser(db: None) -> None:
    """Platform keys and the company's webhooks are for those who can do everything."""
    person = member_of("owner")
    assert not {"apikeys.apikey", "accounts.webhookendpoint"} & allowed(person, "add")
    assert "billing.ledgerentry" not in allowed(person, "change")


@pytest.mark.parametrize("name", ASKS)
def test_a_group_asks_for_what_its_work_needs(organization: Organization, name: str) -> None:
    browser = signed_in(member_of(name))
    subjects = {"price": "sms", "reverse": f"{organization.public_id}.1", "refund": "pay_1"}
    opened = {
        kind
        for kind in ACTIONS
        if browser.get(
            f"/admin/billing/changerequest/new/{kind}/{subjects.get(kind, organization.public_id)}/"
        ).status_code
        != 403
    }
    assert opened == ASKS[name]


def pages(browser: Client, person: User, organization: Organization) -> dict[str, Any]:
    """The status of each page of the desk."""
    customer = f"/admin/customers/{organization.public_id}/"
    return {
        "home": browser.get("/admin/").status_code,
        "search": browser.get("/admin/search/").status_code,
        "customer": browser.get(customer).status_code,
        "visit": browser.get(f"{customer}visit/").status_code,
        "note": browser.post(f"{customer}notes/", {"text": "A note"}).status_code,
        "approve": 200 if person.has_perm("billing.approve_changerequest") else 403,
        "export": 200 if person.has_perm("accounts.export_rows") else 403,
    }


@pytest.mark.parametrize("name", PAGES)
def test_a_group_opens_the_pages_that_its_work_needs(organization: Organization, name: str) -> None:
    person = member_of(name)
    statuses = pages(signed_in(person), person, organization)
    assert {page for page, status in statuses.items() if status in (200, 302)} == PAGES[name]
    assert set(statuses.values()) <= {200, 302, 403}


def test_what_a_group_holds_is_kept_and_a_deleted_one_stays_away(db: None) -> None:
    support, finance = Group.objects.get(name="support"), Group.objects.get(name="finance")
    support.permissions.set(support.permissions.all()[:1])
    finance.permissions.clear()
    Group.objects.get(name="catalog").delete()
    call_command("migrate", verbosity=0)
    assert support.permissions.count() == 1
    assert set(finance.permissions.all()) == set(operator_groups.permissions("finance"))
    assert not Group.objects.filter(name="catalog").exists()


def test_each_permission_that_a_group_names_exists(db: None) -> None:
    for name, held in operator_groups.GROUPS.items():
        named = {label for label in held if "." in label}
        got = {f"{row.content_type.app_label}.{row.codename}" for row in operator_groups.permissions(name)}
        assert named <= got, name
