"""The groups of operators, each with as little as its work needs. What they hold can be changed in the admin.

A migration makes the groups. Django makes permissions only after all migrations have run, so that is when a group that
holds nothing gets what it starts with. A group that was changed keeps what it has, and one that was deleted stays away.
"""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

OUR_APPS = ("accounts", "apikeys", "billing", "usage")

CUSTOMERS = (
    *("accounts.organization", "accounts.membership", "accounts.user", "accounts.invitation", "accounts.event"),
    *("accounts.securitypolicy", "accounts.serviceaccount", "accounts.webhookendpoint", "accounts.delivery"),
    *("accounts.attempt", "accounts.redelivery", "accounts.visit", "accounts.operatornote", "apikeys.apikey"),
    *("apikeys.apikeysecret", "billing.billingaccount", "billing.ledgeraccount", "billing.ledgerentry"),
    *("billing.grant", "billing.hold", "billing.payment", "billing.refund", "billing.dispute", "billing.invoice"),
    *("billing.invoiceline", "billing.invoicestate", "billing.paymentmethod", "billing.autorecharge"),
    *("billing.subscription", "billing.subscriptionperiod", "billing.changerequest", "usage.usagerollup"),
    *("usage.monthlyusage", "usage.monthclose", "usage.importedfile"),
)
CATALOG = (
    *("billing.meter", "billing.plan", "billing.planprice", "billing.planallowance"),
    *("billing.price", "billing.pricetier", "billing.endpointprice"),
)


def _each(verb: str, *models: str) -> tuple[str, ...]:
    return tuple(model.replace(".", f".{verb}_") for model in models)


def _ask(*kinds: str) -> tuple[str, ...]:
    return tuple(f"billing.request_{kind}" for kind in kinds)


GROUPS: dict[str, tuple[str, ...]] = {
    "support": (
        *_each("view", *CUSTOMERS),
        *_each("change", "accounts.user", "accounts.invitation", "accounts.securitypolicy", "accounts.delivery"),
        *_each("change", "accounts.webhookendpoint", "apikeys.apikey"),
        *("accounts.add_operatornote", "accounts.visit_customer"),
        *_ask("grant", "suspend", "resume"),
    ),
    "finance": (
        *_each("view", *CUSTOMERS, *CATALOG, "billing.taxrate", "billing.invoiceseries", "billing.receivedevent"),
        *_each("view", "usage.ledgerproof", "billing.financepackage"),
        *_each("change", "billing.billingaccount", "billing.taxrate", "usage.monthclose"),
        *("billing.add_taxrate", "accounts.add_operatornote", "accounts.export_rows"),
        *_ask("adjust", "grant", "reverse", "refund", "credit_note", "write_off", "credit_limit"),
        "billing.approve_changerequest",
    ),
    "catalog": (
        *_each("view", *CATALOG, "billing.changerequest"),
        *_each("add", *CATALOG),
        *_each("change", *CATALOG),
        *_each("delete", "billing.planprice", "billing.planallowance"),
        *_ask("price"),
        "billing.approve_changerequest",
    ),
    "auditor": ("view", "admin.view_logentry", "auth.view_group", "accounts.export_rows"),
    "owner": ("all",),
}


def permissions(name: str) -> Any:
    """The permissions that a group starts with."""
    every = Permission.objects.select_related("content_type")
    held = GROUPS[name]
    if "all" in held:
        return every.filter(
            Q(content_type__app_label__in=OUR_APPS) | Q(content_type__app_label="auth") | Q(codename="view_logentry")
        )
    wanted = Q(content_type__app_label__in=OUR_APPS, codename__startswith="view_") if "view" in held else Q(pk=None)
    for app, _, codename in (label.partition(".") for label in held):
        wanted |= Q(content_type__app_label=app, codename=codename)
    return every.filter(wanted)


def fill(**signal: Any) -> None:
    """Give what they start with to those groups that hold nothing."""
    for group in Group.objects.filter(name__in=GROUPS, permissions=None):
        group.permissions.set(permissions(group.name))
