"""Billing accounts: who pays, and in which currency."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.lib import countries
from accounts.lib.problems import Conflict
from accounts.models import Organization
from billing.exceptions import BilledByParent, NoBillingAccount
from billing.ledger import posting, thresholds
from billing.models import AutoRecharge, BillingAccount, Dispute, LedgerAccount, Payment, Subscription

# Fields that an account starts without.
OPTIONAL = ("city", "line1", "line2", "postal_code", "state")


class AccountNotSettled(Conflict):
    """The organization still owes something, or is owed something."""

    code = "account_not_settled"
    detail = "The account can be closed once its balance is zero and nothing is reserved."


class AccountExists(Conflict):
    """The organization already has a billing account."""

    code = "account_exists"
    detail = "This organization already has a billing account."


def find(organization: Organization) -> BillingAccount | None:
    """The organization's open account, or None. `BilledByParent` for a child: its root pays."""
    if not organization.is_root:
        raise BilledByParent
    return BillingAccount.objects.of(organization).open().first()


def required(organization: Organization) -> BillingAccount:
    account = find(organization)
    if account is None:
        raise NoBillingAccount
    return account


def create(organization: Organization, *, name: str, email: str, country: str) -> BillingAccount:
    """Create the account, or reopen the closed one, which keeps its currency."""
    if not organization.is_root:
        raise BilledByParent
    fields = {"name": name, "email": email.lower(), "country": country}
    closed = BillingAccount.objects.of(organization).exclude(closed_at=None)
    if closed.update(**fields, **dict.fromkeys(OPTIONAL, ""), closed_at=None):
        return BillingAccount.objects.of(organization).get()
    try:
        with transaction.atomic():
            return BillingAccount.objects.create(organization=organization, **fields)
    except IntegrityError as error:
        if "organization_id" not in str(error):
            raise
        raise AccountExists from error


@transaction.atomic
def close(organization: Organization) -> None:
    """Close the account of an organization with a balance of 0, and cancel everything that would charge it again."""
    required(organization)
    posting.lock([organization.pk])
    account = required(organization)  # There's a race here: of two callers that close it, one must get the error.
    balance = LedgerAccount.objects.get(pk=organization.pk)
    if balance.balance or balance.reserved:
        raise AccountNotSettled(balance=balance.balance, reserved=balance.reserved)
    if Payment.objects.of(organization).filter(status__in=Payment.OPEN).exists():
        raise AccountNotSettled("A payment is still open.")
    if Dispute.objects.filter(payment__organization=organization, status__in=Dispute.UNDECIDED).exists():
        raise AccountNotSettled("A payment is disputed, and its bank has not decided.")
    Subscription.objects.of(organization).filter(status=Subscription.Status.ACTIVE).update(
        status=Subscription.Status.CANCELED
    )
    AutoRecharge.objects.of(organization).update(enabled=False)
    thresholds.set_recharge_below(organization.pk, None)
    BillingAccount.objects.filter(pk=account.pk).update(closed_at=timezone.now())


def update(account: BillingAccount, changes: Mapping[str, Any]) -> BillingAccount:
    """Write the named fields only, so that a concurrent change of another field stays."""
    if changes:
        BillingAccount.objects.filter(pk=account.pk).update(**changes)
        account.refresh_from_db()
    return account


def fix_currency(account: BillingAccount) -> str:
    """Set the currency from the country unless it is set already. Returns the account's currency."""
    BillingAccount.objects.filter(pk=account.pk, currency="").update(currency=countries.currency_of(account.country))
    account.refresh_from_db(fields=["currency"])
    return account.currency
