"""Finds the object with an id, a number, a name or an address in an organization, and the page that shows it."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts import members
from accounts.lib import identifiers
from accounts.models import Delivery, Event, Invitation, Organization, WebhookEndpoint
from apikeys.models import ApiKey
from billing.models import BillingAccount, Grant, Hold, Invoice, LedgerEntry, Payment, PaymentMethod, Subscription
from billing.templatetags.money import amount
from usage.models import UsageEvent

LONGEST = 200
SHOWN = 5  # of each type
LONGEST_NUMBER = 18  # digits that a bigint always has room for
SECRET = re.compile(r"(sk_(?:live|test)_\w{2,4})\w*")  # the part of a secret that may be shown


@dataclass(frozen=True)
class Hit:
    """`id` is what the API calls it, `title` what people call it, `page` the path of its page."""

    type: str
    id: str
    title: str
    page: str


Finder = Callable[[Organization, str], Iterator[Hit]]


def find(organization: Organization, scopes: Collection[str], text: str) -> list[Hit]:
    """The objects that `text` names, among those that the scopes allow to read."""
    text = text.strip()[:LONGEST]
    if not text or "\0" in text:
        return []
    at = f"/o/{organization.public_id}/"
    return [
        Hit(hit.type, hit.id, hit.title, hit.page if hit.page.startswith("/") else f"{at}{hit.page}")
        for scope, finder in FINDERS
        if scope in scopes
        for hit in finder(organization, text)
    ]


def _keys(organization: Organization, text: str) -> Iterator[Hit]:
    """By id, by the beginning of a secret, or by name."""
    named = Q(public_id=text) | Q(name__icontains=text)
    if match := SECRET.match(text):
        named |= Q(secrets__hint__startswith=match[1])
    for key in ApiKey.objects.of(organization).filter(named).order_by("-created_at").distinct()[:SHOWN]:
        yield Hit("api_key", key.public_id, key.name, f"keys/{key.public_id}/")


def _organizations(organization: Organization, text: str) -> Iterator[Hit]:
    named = Q(public_id=text) | Q(auth_id=text) | Q(name__icontains=text)
    for node in Organization.objects.within(organization).filter(named).order_by("name", "pk")[:SHOWN]:
        yield Hit("organization", node.public_id, node.name, f"/o/{node.public_id}/")


def _people(organization: Organization, text: str) -> Iterator[Hit]:
    if "@" in text:
        for member in members.of(organization).filter(user__email__iexact=text).select_related("user")[:SHOWN]:
            page = f"people/?{urlencode({'q': text})}"
            yield Hit("member", f"user:{member.user_id}", f"{member.user.get_full_name()}, {member.user.email}", page)
    invited = Q(email__iexact=text)
    if pk := _pk(text, "inv_"):
        invited |= Q(pk=pk)
    for invitation in Invitation.objects.of(organization).filter(invited).order_by("-created_at")[:SHOWN]:
        page = f"people/?{urlencode({'q': invitation.email})}"
        yield Hit("invitation", invitation.public_id, _("Invitation of %s") % invitation.email, page)


def _entries(organization: Organization, text: str) -> Iterator[Hit]:
    """By number, or by what the entry refers to."""
    number = text.removeprefix("#")
    named = Q(reference=text)
    if number.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER:
        named |= Q(seq=int(number))
    for entry in LedgerEntry.objects.of(organization).filter(named).order_by("-seq")[:SHOWN]:
        title = _("Entry %(seq)s: %(kind)s") % {"seq": entry.seq, "kind": entry.get_kind_display()}
        yield Hit("ledger_entry", str(entry.seq), title, f"ledger/{entry.seq}/")


def _credits(organization: Organization, text: str) -> Iterator[Hit]:
    for hold in _by_id(Hold.objects.within(organization), text, "hold_"):
        yield Hit("hold", hold.public_id, _("Hold of %s") % amount(hold.amount), f"credits/holds/?q={hold.public_id}")
    for grant in _by_id(Grant.objects.of(organization), text, "grant_"):
        yield Hit("grant", grant.public_id, _("Grant of %s") % amount(grant.amount), f"ledger/{grant.entry_seq}/")


def _papers(organization: Organization, text: str) -> Iterator[Hit]:
    for payment in _by_id(Payment.objects.of(organization), text, "pay_"):
        yield Hit("payment", payment.public_id, _("Payment"), f"payments/{payment.public_id}/")
    for card in _by_id(PaymentMethod.objects.of(organization), text, "pm_"):
        yield Hit("payment_method", card.public_id, _("Card ending in %s") % card.last4, "credits/#cards")
    named = Q(number__iexact=text)
    if pk := _pk(text, "in_"):
        named |= Q(pk=pk)
    for paper in Invoice.objects.of(organization).filter(named)[:SHOWN]:
        title = f"{paper.get_kind_display()} {paper.number}".strip()
        yield Hit("invoice", paper.public_id, title, f"invoices/{paper.public_id}/")
    for subscription in _by_id(Subscription.objects.of(organization), text, "sub_"):
        yield Hit("subscription", subscription.public_id, _("Plan"), "plan/")
    for account in BillingAccount.objects.of(organization).filter(public_id=text):
        yield Hit("billing_account", account.public_id, account.name, "credits/")


def _events(organization: Organization, text: str) -> Iterator[Hit]:
    for event in _by_id(Event.objects.within(organization), text, "evt_"):
        yield Hit("event", event.public_id, event.type, f"events/{event.public_id}/")


def _usage(organization: Organization, text: str) -> Iterator[Hit]:
    """A usage event, by its caller's own id: the page of its entry shows it."""
    if not organization.is_root:
        return
    for event in UsageEvent.objects.within(organization).filter(id=text)[:SHOWN]:
        yield Hit("usage_event", event.id, _("Usage event %s") % event.id, f"ledger/{event.entry_seq}/")


def _webhooks(organization: Organization, text: str) -> Iterator[Hit]:
    for endpoint in _by_id(WebhookEndpoint.objects.of(organization), text, "we_"):
        yield Hit("webhook_endpoint", endpoint.public_id, endpoint.url, f"webhooks/{endpoint.public_id}/")
    for delivery in _by_id(Delivery.objects.of(organization), text, "dlv_"):
        page = f"webhooks/deliveries/{delivery.public_id}/"
        yield Hit("webhook_delivery", delivery.public_id, _("Delivery"), page)


def _by_id(rows: Any, text: str, prefix: str) -> Any:
    pk = _pk(text, prefix)
    return rows.filter(pk=pk) if pk else rows.none()


def _pk(text: str, prefix: str) -> UUID | None:
    try:
        return identifiers.uuid_of(text, prefix)
    except ValueError:
        return None


# The scope that each needs, in the order of the results.
FINDERS: tuple[tuple[str, Finder], ...] = (
    ("account:read", _organizations),
    ("keys:read", _keys),
    ("credits:read", _entries),
    ("credits:read", _credits),
    ("billing:read", _papers),
    ("members:read", _people),
    ("webhooks:read", _webhooks),
    ("audit:read", _events),
    ("credits:read", _usage),
)
