"""Bodies that move money, or limit it. Nothing in them is ignored: a member that we don't know is a 400."""

from typing import Any

from rest_framework import serializers

from accounts.api.fields import KnownMembers
from accounts.lib import countries
from accounts.lib.problems import InvalidField
from accounts.models import Organization
from billing.models import BillingAccount


class MoneySerializer(KnownMembers):
    """`currency` is optional, and must be the account's."""

    currency = serializers.CharField(max_length=3, required=False, help_text="Optional. Must be the account's currency")


def check_currency(organization: Organization, params: dict[str, Any]) -> None:
    """Take `currency` out of `params`. It must be the payer's: the fixed one, or the one that its country will fix."""
    named = params.pop("currency", None)
    if named is None:
        return
    account = BillingAccount.objects.open().filter(organization=organization.root_id).first()
    currency = (account.currency or countries.currency_of(account.country)) if account else ""
    if named != currency:
        detail = f"The account's currency is {currency}." if currency else "The account has no currency yet."
        raise InvalidField("currency", detail)
