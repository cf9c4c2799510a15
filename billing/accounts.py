"""Billing accounts: who pays, and in which currency."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from accounts.exceptions import Conflict
from accounts.models import Organization
from billing import countries
from billing.exceptions import BilledByParent, NoBillingAccount
from billing.models import BillingAccount


class AccountExists(Conflict):
    """The organization has a billing account already."""

    code = "account_exists"
    detail = "This organization has a billing account already."


def find(organization: Organization) -> BillingAccount | None:
    """The organization's account; None before it is created. A child has none: its root pays."""
    if not organization.is_root:
        raise BilledByParent
    return BillingAccount.objects.of(organization).first()


def required(organization: Organization) -> BillingAccount:
    account = find(organization)
    if account is None:
        raise NoBillingAccount
    return account


def create(organization: Organization, *, name: str, email: str, country: str) -> BillingAccount:
    if not organization.is_root:
        raise BilledByParent
    try:
        with transaction.atomic():
            return BillingAccount.objects.create(
                organization=organization, name=name, email=email.lower(), country=country
            )
    except IntegrityError as error:
        if "organization_id" not in str(error):
            raise
        raise AccountExists from error


def update(account: BillingAccount, changes: Mapping[str, Any]) -> BillingAccount:
    """Write the named fields, and no other: what another request changes meanwhile stays."""
    if changes:
        BillingAccount.objects.filter(pk=account.pk).update(**changes)
        account.refresh_from_db()
    return account


def settle_currency(account: BillingAccount) -> str:
    """Set the currency from the country, once; the currency that the account then has."""
    BillingAccount.objects.filter(pk=account.pk, currency="").update(currency=countries.currency_of(account.country))
    account.refresh_from_db(fields=["currency"])
    return account.currency
