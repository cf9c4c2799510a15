"""The search of the admin: which customer has this id, address, card, number or name?

An exact id or address comes first, and leaves nothing else. Then what begins so, and last what has it in its name.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Hit:
    """A customer, and what of it was meant: `what` is the kind, `label` the row."""

    customer: Organization
    what: str
    label: str


def find(term: str) -> list[Hit]:
    """The first stage that finds something. One customer stands in it once for each kind of row."""
    term = term.strip()
    if not term or "\0" in term:
        return []
    for stage in (_exact, _beginning, _named):
        hits = list(dict.fromkeys(stage(term)))[:SHOWN]
        if hits:
            return hits
    return []


def _exact(term: str) -> Iterator[Hit]:
    yield from _by_key(term)
    yield from _rows(Organization.objects.filter(Q(public_id=term) | Q(auth_id=term)), "", "Organization")
    yield from _rows(ApiKey.objects.filter(public_id=term), "organization", "API key")
    yield from _rows(BillingAccount.objects.filter(Q(public_id=term) | Q(email__iexact=term)), "organization", "Payer")
    yield from _rows(Invoice.objects.filter(number=term), "organization", "Paper")
    if "@" in term:
        yield from _rows(Membership.objects.filter(user__email=term), "organization", "Person", str)
        yield from _rows(Invitation.objects.filter(email=term), "organization", "Invitation")
    if term.isdecimal() and len(term) == LAST4:
        yield from _rows(PaymentMethod.objects.filter(last4=term), "organization", "Card")
    yield from _at_gateway(term)


def _by_key(term: str) -> Iterator[Hit]:
    prefix = term[: term.find("_") + 1]
    model, way = BY_KEY.get(prefix, (None, ""))
    try:
        key = identifiers.uuid_of(term, prefix) if model else None
    except ValueError:
        return
    if model:
        yield from _rows(model._default_manager.filter(pk=key), way, model._meta.verbose_name.capitalize())


def _at_gateway(term: str) -> Iterator[Hit]:
    """By the payment gateway's own ids."""
    payments = Payment.objects.filter(Q(intent=term) | Q(gateway_reference=term))
    yield from _rows(payments, "organization", "Payment")
    yield from _rows(Refund.objects.filter(gateway_reference=term), "payment__organization", "Refund")
    yield from _rows(Dispute.objects.filter(gateway_reference=term), "payment__organization", "Dispute")
    yield from _rows(GatewayCustomer.objects.filter(customer=term), "organization", "Payer")
    yield from _rows(PaymentMethod.objects.filter(gateway_token=term), "organization", "Card")


def _beginning(term: str) -> Iterator[Hit]:
    organizations = Organization.objects.filter(
        Q(public_id__startswith=term) | Q(auth_id__startswith=term) | Q(name__istartswith=term)
    )
    yield from _rows(organizations, "", "Organization")
    yield from _rows(ApiKey.objects.filter(public_id__startswith=term), "organization", "API key")
    if term.startswith("sk_"):
        keys = ApiKey.objects.filter(secrets__hint__startswith=term[:HINT])
        yield from _rows(keys, "organization", "API key")
    yield from _rows(Invoice.objects.filter(number__startswith=term), "organization", "Paper")
    yield from _rows(Membership.objects.filter(user__email__istartswith=term), "organization", "Person")


def _named(term: str) -> Iterator[Hit]:
    yield from _rows(Organization.objects.filter(name__icontains=term), "", "Organization")
    yield from _rows(BillingAccount.objects.filter(name__icontains=term), "organization", "Payer")
    yield from _rows(Membership.objects.filter(user__name__icontains=term), "organization", "Person")


def _rows(rows: QuerySet[Any], way: str, what: str, label: Callable[[Any], str] = str) -> Iterator[Hit]:
    """The rows' customers, the newest row first. Rows of the company's own have none."""
    related = [f"{way}__root"] if way else ["root"]
    if rows.model is Membership:
        related.append("user")
    for row in rows.select_related(*related).order_by("-pk")[:SHOWN]:
        organization = row
        for step in way.split("__") if way else ():
            organization = getattr(organization, step, None)
        if organization is not None:
            yield Hit(organization.root, what, row.user.email if isinstance(row, Membership) else label(row))
