"""Plivo's objects, and the parameters that Plivo's clients send."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from accounts.api.fields import LARGEST_OFFSET, IntegerField
from accounts.lib import timezones
from accounts.models import Organization
from billing import accounts, clock
from billing.ledger import posting
from billing.models import AutoRecharge, LedgerAccount, Payment

PAGE = 20
CENT_OF_A_MILL = Decimal("0.00001")


class PlivoAccountSerializer(serializers.Serializer[Any]):
    account_type = serializers.ChoiceField(["standard", "developer"], help_text="developer until the first payment")
    address = serializers.CharField(help_text="Postal address, displayed on invoices")
    api_id = serializers.UUIDField(help_text="New in every answer")
    auth_id = serializers.CharField()
    auto_recharge = serializers.BooleanField()
    billing_mode = serializers.ChoiceField(["prepaid", "postpaid"])
    cash_credits = serializers.CharField(help_text="Five decimals, rounded down")
    city = serializers.CharField()
    name = serializers.CharField()
    resource_uri = serializers.CharField()
    state = serializers.CharField()
    timezone = serializers.CharField(help_text="An IANA time zone name")


class PlivoAccountChangesSerializer(serializers.Serializer[Any]):
    """Missing and null members stay unchanged. An empty address, city or state clears it."""

    name = serializers.CharField(max_length=100, required=False)
    address = serializers.CharField(source="line1", max_length=100, allow_blank=True, required=False)
    city = serializers.CharField(max_length=50, allow_blank=True, required=False)
    state = serializers.CharField(max_length=50, allow_blank=True, required=False)
    timezone = serializers.CharField(max_length=64, validators=[timezones.validate], required=False)


class NewSubaccountSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    enabled = serializers.BooleanField(required=False, default=False)


class SubaccountChangesSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100, required=False)
    enabled = serializers.BooleanField(required=False)


class PageSerializer(serializers.Serializer[Any]):
    limit = IntegerField(min_value=1, max_value=PAGE, default=PAGE)
    offset = IntegerField(min_value=0, max_value=LARGEST_OFFSET, default=0)


class SubaccountSerializer(serializers.Serializer[Any]):
    account = serializers.CharField()
    api_id = serializers.UUIDField()
    auth_id = serializers.CharField()
    auth_token = serializers.CharField(help_text="Masked. The token is shown once, when the subaccount is created.")
    created = serializers.DateField()
    enabled = serializers.BooleanField()
    modified = serializers.DateField(allow_null=True, help_text="The date of the last change; null before the first")
    name = serializers.CharField()
    new_auth_token = serializers.CharField(help_text="Masked. Replaces auth_token, which still works")
    resource_uri = serializers.CharField()


class MetaSerializer(serializers.Serializer[Any]):
    limit = serializers.IntegerField()
    next = serializers.CharField(allow_null=True)
    offset = serializers.IntegerField()
    previous = serializers.CharField(allow_null=True)
    total_count = serializers.IntegerField()


class SubaccountListSerializer(serializers.Serializer[Any]):
    api_id = serializers.UUIDField()
    meta = MetaSerializer()
    objects = SubaccountSerializer(many=True)


class CreatedSubaccountSerializer(serializers.Serializer[Any]):
    api_id = serializers.UUIDField()
    auth_id = serializers.CharField()
    auth_token = serializers.CharField(allow_null=True)
    message = serializers.CharField()


class PlivoChangedSerializer(serializers.Serializer[Any]):
    api_id = serializers.UUIDField()
    message = serializers.CharField()


class PlivoErrorSerializer(serializers.Serializer[Any]):
    api_id = serializers.UUIDField()
    error = serializers.CharField()


def account_uri(organization: Organization) -> str:
    return f"/v1/Account/{organization.auth_id}/"


def account_object(organization: Organization) -> dict[str, Any]:
    """The account. Texts are empty without a billing account. A subaccount has no credits: its root has them."""
    account = accounts.find(organization) if organization.is_root else None
    payer = posting.current(organization.root_id, clock.now(organization)) or LedgerAccount()
    paid = Payment.objects.of(organization.root).filter(status=Payment.Status.SUCCEEDED).exists()
    return {
        "account_type": "standard" if paid else "developer",
        "address": account.line1 if account else "",
        "auth_id": organization.auth_id,
        "auto_recharge": AutoRecharge.objects.of(organization).filter(enabled=True).exists(),
        "billing_mode": "postpaid" if payer.credit_limit else "prepaid",
        "cash_credits": cash_credits(payer.balance if organization.is_root else Decimal(0)),
        "city": account.city if account else "",
        "name": account.name if account else ("" if organization.is_root else organization.name),
        "resource_uri": account_uri(organization),
        "state": account.state if account else "",
        "timezone": organization.timezone,
        **({} if organization.is_root else {"account": account_uri(organization.root)}),
    }


def cash_credits(balance: Decimal) -> str:
    """Five decimals, rounded down, so that it never shows more than there is."""
    return format(balance.quantize(CENT_OF_A_MILL, ROUND_FLOOR), "f")


def subaccount_objects(organizations: Sequence[Organization]) -> list[dict[str, Any]]:
    """Their objects. Prefetch the roots, and the unrevoked keys with their secrets.

    A subaccount is not enabled if it, or an account above it, is suspended.
    """
    ids = [organization.pk for organization in organizations]
    enabled = set(Organization.objects.operational().filter(pk__in=ids))
    return [_subaccount_object(organization, enabled=organization in enabled) for organization in organizations]


def _subaccount_object(organization: Organization, *, enabled: bool) -> dict[str, Any]:
    account, modified_at = account_uri(organization.root), organization.modified_at
    token, new_token = _tokens(organization)
    return {
        "account": account,
        "auth_id": organization.auth_id,
        "auth_token": token,
        "created": organization.created_at.date().isoformat(),
        "enabled": enabled,
        "modified": modified_at.date().isoformat() if modified_at else None,
        "name": organization.name,
        "new_auth_token": new_token,
        "resource_uri": f"{account}Subaccount/{organization.auth_id}/",
    }


def _tokens(organization: Organization) -> tuple[str, str]:
    """The masked token, and the one that replaces it: while a rotated key's secrets overlap there are two.

    It is the organization's oldest key: the one that was made with the subaccount, unless that was revoked.
    """
    now = timezone.now()
    *_, key = (None, *organization.api_keys.all())
    secrets = sorted(key.secrets.all(), key=lambda secret: secret.created_at) if key else []
    hints = [secret.hint for secret in secrets if secret.expires_at is None or secret.expires_at > now]
    current, new, *_ = (*hints, "", "")
    return current, new
