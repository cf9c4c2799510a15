"""Billing accounts: who pays, and in which currency."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from accounts import events
from accounts.access import OrganizationSuspended
from accounts.lib import countries
from accounts.lib.money import ZERO
from accounts.lib.problems import Conflict
from accounts.models import Organization
from billing import clock
from billing.exceptions import BilledByParent, NoBillingAccount
from billing.ledger import posting, thresholds
from billing.models import AutoRecharge, BillingAccount, Dispute, InvoiceState, LedgerAccount, Payment, Subscription

# Fields that an account starts without.
OPTIONAL = ("city", "line1", "line2", "postal_code", "state")
PERSONAL = frozenset({"name", "email", "vat_id", *OPTIONAL})


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


def require_operational(organization: Organization) -> None:
    """A suspended organization pays what it owes, and buys nothing new."""
    if not organization.is_operational:
        raise OrganizationSuspended


@transaction.atomic
def create(organization: Organization, *, name: str, email: str, country: str) -> BillingAccount:
    """Create the account, or reopen the closed one, which keeps its currency."""
    if not organization.is_root:
        raise BilledByParent
    fields = {"name": name, "email": email.lower(), "country": country}
    closed = BillingAccount.objects.of(organization).exclude(closed_at=None)
    if closed.update(**fields, **dict.fromkeys(OPTIONAL, ""), closed_at=None):
        account = BillingAccount.objects.of(organization).get()
    else:
        account = _insert(organization, fields)
    _tell(account, "created", {"country": country}, personal={"after": {"name": name, "email": email.lower()}})
    return account


def _insert(organization: Organization, fields: Mapping[str, str]) -> BillingAccount:
    try:
        with transaction.atomic():
            return BillingAccount.objects.create(organization=organization, **fields)
    except IntegrityError as error:
        if "organization_id" not in str(error):
            raise
        raise AccountExists from error


def _tell(account: BillingAccount, verb: str, data: Mapping[str, Any], personal: Mapping[str, Any] | None) -> None:
    described, targets = {"billing_account": account.public_id, **data}, [account.public_id]
    type, now = f"billing_account.{verb}", clock.now(account.organization)
    events.record(account.organization_id, type, described, now, targets=targets, personal=personal)


@transaction.atomic
def close(organization: Organization, *, now: datetime) -> None:
    """Close the account of an organization with a balance of 0, and cancel everything that would charge it again."""
    required(organization)
    posting.lock([organization.pk], now)
    account = required(organization)  # There's a race here: of two callers that close it, one must get the error.
    balance = LedgerAccount.objects.get(pk=organization.pk)
    if balance.balance or balance.reserved:
        raise AccountNotSettled(balance=balance.balance, reserved=balance.reserved)
    if Payment.objects.of(organization).filter(status__in=Payment.OPEN).exists():
        raise AccountNotSettled("A payment is still open.")
    if Dispute.objects.filter(payment__organization=organization, status__in=Dispute.UNDECIDED).exists():
        raise AccountNotSettled("A payment is disputed, and its bank has not decided.")
    if InvoiceState.objects.filter(invoice__organization=organization, status__in=InvoiceState.OWED).exists():
        raise AccountNotSettled("An invoice is not paid.")
    _end_charges(organization, now)
    BillingAccount.objects.filter(pk=account.pk).update(closed_at=now)
    _tell(account, "closed", {}, personal=None)


def _end_charges(organization: Organization, now: datetime) -> None:
    """Nothing renews or recharges any more. Each end has its event."""
    for subscription in Subscription.objects.of(organization).live().select_related("plan"):
        ended = {"status": Subscription.Status.CANCELED, "next_at": None, "ended_at": F("current_period_end")}
        Subscription.objects.filter(pk=subscription.pk).update(**ended)
        data = {"subscription": subscription.public_id, "plan": subscription.plan.slug, "reason": "account_closed"}
        events.record(organization.pk, "subscription.ended", data, now, targets=[subscription.public_id])
    if AutoRecharge.objects.of(organization).filter(enabled=True).update(enabled=False):
        changed = {"enabled": False, "before": {"enabled": True}, "after": {"enabled": False}, "actor": None}
        events.record(organization.pk, "auto_recharge.changed", changed, now, targets=[organization.public_id])
    thresholds.set_recharge_below(organization.pk, None)
    thresholds.set_rate_limit(organization.pk, None, None)
    thresholds.set_credit_limit(organization.pk, credit_limit=ZERO, reason="The account is closed", actor="", now=now)


@transaction.atomic
def update(account: BillingAccount, changes: Mapping[str, Any]) -> BillingAccount:
    """Write the named fields only, so that a concurrent change of another field isn't lost."""
    if changes:
        row = BillingAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        is_same_id = changes.get("vat_id", row.vat_id) == row.vat_id
        BillingAccount.objects.filter(pk=account.pk).update(**changes, **({} if is_same_id else unchecked()))
        account.refresh_from_db()
        before, after = ({name: getattr(state, name) for name in changes} for state in (row, account))
        organization, now, targets = account.organization_id, clock.now(account.organization), [account.public_id]
        events.record_change(
            organization, "billing_account.changed", before, after, now, targets=targets, personal=PERSONAL
        )
    return account


def unchecked() -> dict[str, Any]:
    """For a new VAT id: what the register said about the old one no longer applies."""
    return {"vat_id_valid": None, "vat_id_checked_at": None, "vat_id_due_at": timezone.now()}


def currency_of(account: BillingAccount) -> str:
    """The account's currency: the fixed one, or the one that its country will fix."""
    return account.currency or countries.currency_of(account.country)


@transaction.atomic
def fix_currency(account: BillingAccount, currency: str = "") -> str:
    """Set the currency, by default that of the country, unless it is set already. Returns the account's currency."""
    unset = BillingAccount.objects.filter(pk=account.pk, currency="")
    fixed = unset.update(currency=currency or countries.currency_of(account.country))
    account.refresh_from_db(fields=["currency"])
    if fixed:
        before, after = {"currency": ""}, {"currency": account.currency}
        organization, now, targets = account.organization_id, clock.now(account.organization), [account.public_id]
        events.record_change(organization, "billing_account.changed", before, after, now, targets=targets)
    return account.currency
