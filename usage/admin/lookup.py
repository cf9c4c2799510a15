"""The search of the admin: which customer has this id, address, card, number or name?

An exact id or address comes first, and then nothing else is shown. Next come ids that begin with the text, and last
names that contain it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.db.models import Q, QuerySet

from accounts.lib import identifiers
from accounts.models import (
    Delivery,
    Event,
    Invitation,
    Membership,
    Organization,
    Redelivery,
    ServiceAccount,
    User,
    WebhookEndpoint,
)
from apikeys.models import ApiKey
from billing.models import (
    BillingAccount,
    Dispute,
    GatewayCustomer,
    Grant,
    Hold,
    Invoice,
    Payment,
    PaymentMethod,
    Refund,
    Subscription,
)

SHOWN = 30
LAST4 = 4
HINT = 12  # characters of a secret that its hint begins with

# Public ids that are made of a primary key: the prefix, the model, and the way to its organization.
BY_KEY: dict[str, tuple[type[Any], str]] = {
    "pay_": (Payment, "organization"),
    "pm_": (PaymentMethod, "organization"),
    "re_": (Refund, "payment__organization"),
    "du_": (Dispute, "payment__organization"),
    "in_": (Invoice, "organization"),
    "sub_": (Subscription, "organization"),
    "hold_": (Hold, "organization"),
    "grant_": (Grant, "account__organization"),
    "evt_": (Event, "organization"),
    "we_": (WebhookEndpoint, "organization"),
    "dlv_": (Delivery, "endpoint__organization"),
    "rdl_": (Redelivery, "endpoint__organization"),
    "inv_": (Invitation, "organization"),
    "svc_": (ServiceAccount, "organization"),
}

# Rows that are found by columns of another row, which the operator must be allowed to see.
SHOWN_BY: dict[type[Any], type[Any]] = {Membership: User, GatewayCustomer: BillingAccount}


@dataclass(frozen=True)
class CustomerHit:
    """A customer, and their row that was searched for: its `kind`, such as "Payment", and its `label`."""

    customer: Organization
    kind: str
    label: str


May = Callable[[str], bool]  # whether the operator has a permission
Rows = tuple[QuerySet[Any], str, str]  # rows, the way to their organization, and what they are


def find(term: str, may: May) -> list[CustomerHit]:
    """The first stage that finds something, among the rows that the operator may see.

    A customer appears once for each kind of row.
    """
    term = term.strip()
    if not term or "\0" in term:
        return []
    for stage in (_exact, _beginning, _named):
        shown = (_hits(*rows) for rows in stage(term) if _may_see(rows[0].model, may))
        hits = list(dict.fromkeys(chain.from_iterable(shown)))[:SHOWN]
        if hits:
            return hits
    return []


def _may_see(model: type[Any], may: May) -> bool:
    shown = SHOWN_BY.get(model, model)
    return may(f"{shown._meta.app_label}.view_{shown._meta.model_name}")


def _exact(term: str) -> Iterator[Rows]:
    yield from _by_key(term)
    yield Organization.objects.filter(Q(public_id=term) | Q(auth_id=term)), "", "Organization"
    yield ApiKey.objects.filter(public_id=term), "organization", "API key"
    yield BillingAccount.objects.filter(Q(public_id=term) | Q(email__iexact=term)), "organization", "Payer"
    yield Invoice.objects.filter(number=term), "organization", "Paper"
    if "@" in term:
        yield Membership.objects.filter(user__email=term), "organization", "Person"
        yield Invitation.objects.filter(email=term), "organization", "Invitation"
    if term.isdecimal() and len(term) == LAST4:
        yield PaymentMethod.objects.filter(last4=term), "organization", "Card"
    yield from _at_gateway(term)


def _by_key(term: str) -> Iterator[Rows]:
    prefix = term[: term.find("_") + 1]
    model, way = BY_KEY.get(prefix, (None, ""))
    try:
        key = identifiers.uuid_of(term, prefix) if model else None
    except ValueError:
        return
    if model:
        yield model._default_manager.filter(pk=key), way, model._meta.verbose_name.capitalize()


def _at_gateway(term: str) -> Iterator[Rows]:
    """By the payment gateway's own ids."""
    payments = Payment.objects.filter(Q(intent=term) | Q(gateway_reference=term))
    yield payments, "organization", "Payment"
    yield Refund.objects.filter(gateway_reference=term), "payment__organization", "Refund"
    yield Dispute.objects.filter(gateway_reference=term), "payment__organization", "Dispute"
    yield GatewayCustomer.objects.filter(customer=term), "organization", "Payer"
    yield PaymentMethod.objects.filter(gateway_token=term), "organization", "Card"


def _beginning(term: str) -> Iterator[Rows]:
    organizations = Organization.objects.filter(
        Q(public_id__startswith=term) | Q(auth_id__startswith=term) | Q(name__istartswith=term)
    )
    yield organizations, "", "Organization"
    yield ApiKey.objects.filter(public_id__startswith=term), "organization", "API key"
    if term.startswith("sk_"):
        keys = ApiKey.objects.filter(secrets__hint__startswith=term[:HINT])
        yield keys, "organization", "API key"
    yield Invoice.objects.filter(number__startswith=term), "organization", "Paper"
    yield Membership.objects.filter(user__email__istartswith=term), "organization", "Person"


def _named(term: str) -> Iterator[Rows]:
    yield Organization.objects.filter(name__icontains=term), "", "Organization"
    yield BillingAccount.objects.filter(name__icontains=term), "organization", "Payer"
    yield Membership.objects.filter(user__name__icontains=term), "organization", "Person"


def _hits(rows: QuerySet[Any], way: str, kind: str) -> Iterator[CustomerHit]:
    """The rows' customers, the newest row first. Rows of the company's own have none."""
    related = [f"{way}__root"] if way else ["root"]
    if rows.model is Membership:
        related.append("user")
    for row in rows.select_related(*related).order_by("-pk")[:SHOWN]:
        organization = row
        for step in way.split("__") if way else ():
            organization = getattr(organization, step, None)
        if organization is not None:
            yield CustomerHit(organization.root, kind, row.user.email if isinstance(row, Membership) else str(row))
