"""The effect of each type of row. Each returns the organization that it is about, and the id of the object that it
made.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from accounts import invitations, people
from accounts.lib import months
from accounts.lib.problems import InvalidField
from accounts.models import Organization
from apikeys import keys
from apikeys.models import ApiKey
from billing import accounts, clock
from billing.exceptions import BilledByParent
from billing.invoicing import vat_ids
from billing.ledger import imports
from billing.ledger.lots import Lot
from billing.models import BillingAccount, Meter
from billing.payments import customers, saving_cards
from billing.payments.gateways import Card
from usage.models import ImportedRow, ImportedUsage

Values = Mapping[str, Any]
Made = tuple[Organization, str]

STRIPE = "stripe"
CONSENT = "The card was saved in another system, before the customer moved here."
ADDRESS = ("line1", "line2", "city", "state", "postal_code")

# The field that a refusal is about, unless it names one itself.
ABOUT = {
    "organization": "parent",
    "person": "email",
    "billing_account": "organization",
    "balance": "organization",
    "key": "sha256",
    "usage": "organization",
}


def _organization(row: Values) -> Made:
    fields = {"name": row["name"], "external_id": row["id"]}
    try:
        if "parent" in row:
            made = people.add_child(_named(row["parent"], "parent"), timezone=row["timezone"], **fields)
        else:
            made = people.add_root(timezone=row["timezone"] or "UTC", **fields)
    except people.ExternalIdTaken as error:
        raise InvalidField("id", str(error)) from error
    return made, made.public_id


def _named(name: str, member: str = "organization") -> Organization:
    """The organization of an earlier row, or one that existed before, by the company's id or by ours."""
    known = Organization.objects.exclude(external_id="").filter(external_id=name)
    organization = known.first() or Organization.objects.filter(public_id=name).first()
    if organization is None:
        raise InvalidField(member, "There is no such organization. Its row has to come before this one.")
    if not Organization.objects.unclosed().filter(pk=organization.pk).exists():
        raise InvalidField(member, "The organization is closed.")
    return organization


def _person(row: Values) -> Made:
    organization = _named(row["organization"])
    invitation = invitations.invite_for_company(organization, email=row["email"], role=row["role"])
    return organization, invitation.public_id


def _billing_account(row: Values) -> Made:
    organization = _named(row["organization"])
    changes = {name: row[name] for name in ADDRESS if name in row}
    if "vat_id" in row:
        changes["vat_id"] = _vat_id(row["vat_id"], row["country"])
    account = accounts.create(organization, name=row["name"], email=row["email"], country=row["country"])
    accounts.update(account, changes)
    if "currency" in row and accounts.fix_currency(account, row["currency"]) != row["currency"]:
        raise InvalidField("currency", f"The account's currency is {account.currency} already.")
    _at_stripe(account, row)
    return organization, account.public_id


def _vat_id(text: str, country: str) -> str:
    try:
        return vat_ids.normal(text, country)
    except ValueError as error:
        raise InvalidField("vat_id", str(error)) from error


def _at_stripe(account: BillingAccount, row: Values) -> None:
    """The customer, and the card, which belongs to it. A card without a fingerprint is like no other."""
    if "stripe_customer" not in row:
        return
    try:
        customers.adopt(account.organization, STRIPE, row["stripe_customer"])
    except customers.CustomerKnown as error:
        raise InvalidField("stripe_customer", str(error)) from error
    if "card_id" in row:
        card = Card(
            token=row["card_id"],
            brand=row["card_brand"].lower(),
            last4=row["card_last4"],
            exp_month=row["card_exp_month"],
            exp_year=row["card_exp_year"],
            fingerprint=row["card_fingerprint"] or row["card_id"],
            customer=row["stripe_customer"],
        )
        saved = saving_cards.save(account.organization, STRIPE, card, by="", consent=CONSENT)
        if saved.organization_id != account.organization_id:
            raise InvalidField("card_id", "The card belongs to another organization.")


def _balance(row: Values) -> Made:
    organization = _payer(row)
    now, expires_at = clock.now(organization), row["expires_at"]
    if expires_at and expires_at <= now:
        raise InvalidField("expires_at", "Must be in the future.")
    lot = Lot(row["category"], row["priority"], expires_at)
    seq = imports.bring(organization, row["amount"], lot, key=row["id"], now=now)
    return organization, str(seq)


def _payer(row: Values) -> Organization:
    organization = _named(row["organization"])
    if not organization.is_root:
        raise BilledByParent
    return organization


def _key(row: Values) -> Made:
    organization = _named(row["organization"])
    fields = {
        name: row[name]
        for name in (
            *("sha256", "name", "description", "environment", "permissions", "expires_at", "allowed_cidrs"),
            *("rate_limit", "rate_limit_window_seconds", "monthly_budget"),
        )
    }
    key = keys.adopt(organization, hint=f"{row['prefix']}…{row['last4']}", **fields)
    return organization, key.public_id


def _usage(row: Values) -> Made:
    organization = _named(row["organization"])
    meter = Meter.objects.filter(slug=row["meter"]).first()
    if meter is None:
        raise InvalidField("meter", "There is no such meter.")
    made = ImportedUsage.objects.create(
        account_id=organization.root_id,
        organization=organization,
        bucket=_start(row, organization),
        meter=meter,
        key=_key_named(row["key"], organization) if "key" in row else None,
        **{name: row[name] for name in ("environment", "endpoint", "requests", "failed", "quantity", "credits")},
    )
    return organization, str(made.pk)


def _start(row: Values, organization: Organization) -> datetime:
    """The beginning of the period, in the payer's time zone. It is past."""
    start = months.midnight(row["period"], Organization.objects.get(pk=organization.root_id).timezone)
    if start > timezone.now():
        raise InvalidField("period", "Must be in the past.")
    return start


def _key_named(name: str, organization: Organization) -> ApiKey:
    rows = ImportedRow.objects.filter(type="key", external_id=name).values("target")
    known = ApiKey.objects.of(organization)
    key = (known.filter(public_id__in=rows) | known.filter(public_id=name)).first()
    if key is None:
        raise InvalidField("key", "The organization has no such key. Its row has to come before this one.")
    return key


EFFECTS: dict[str, Callable[[Values], Made]] = {
    "organization": _organization,
    "person": _person,
    "billing_account": _billing_account,
    "balance": _balance,
    "key": _key,
    "usage": _usage,
}
