"""The types of rows, and what each may have. A member that the type doesn't have is refused."""

import base64
import binascii
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.api.fields import EmailField, IntegerField, NetworkField, NumberField, PrintableField
from accounts.lib import datetimes, months, timezones
from accounts.lib.money import LARGEST, ZERO
from accounts.lib.problems import InvalidField
from accounts.models import Membership
from apikeys import key_permissions
from apikeys.api.fields import BudgetField
from apikeys.models import ApiKey
from apikeys.rate_limits import LARGEST_RATE, LONGEST_WINDOW_SECONDS
from apikeys.secrets import LONGEST_HINT
from billing.api.fields import AmountSerializerField
from billing.api.mikrocloud import CountryField
from billing.models import Grant
from billing.payments import minor_units

LONGEST_ID = 100
LONGEST_BALANCE_ID = LONGEST_ID - len("import:")  # with it, it is the idempotency key of the entry
EARLIEST = date(1970, 1, 1)
HASH_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
MOST_REQUESTS = 10**15
CARD = ("card_id", "card_brand", "card_last4", "card_exp_month", "card_exp_year")


class MomentField(serializers.CharField):
    """A datetime, or a date, which is midnight UTC."""

    def to_internal_value(self, data: Any) -> datetime:  # type: ignore[override]
        try:
            return datetimes.parse(super().to_internal_value(data), "UTC")
        except ValueError as error:
            raise serializers.ValidationError(datetimes.EXPECTED) from error


class PeriodField(serializers.CharField):
    """A month such as 2026-09, or a day such as 2026-09-30. Both are a date; the month is its first."""

    def to_internal_value(self, data: Any) -> date:  # type: ignore[override]
        text = super().to_internal_value(data)
        try:
            period = date.fromisoformat(text) if len(text) == len("2026-09-30") else months.parse(text)
        except ValueError as error:
            raise serializers.ValidationError(
                "Expected a month such as 2026-09, or a day such as 2026-09-30."
            ) from error
        if period < EARLIEST:  # the calendar's first year ends too early in some time zones
            raise serializers.ValidationError("Must be in 1970 or later.")
        return period


class HashField(serializers.CharField):
    """A SHA-256 in hexadecimal digits or in base64."""

    def to_internal_value(self, data: Any) -> bytes:  # type: ignore[override]
        text = super().to_internal_value(data)
        try:
            sha256 = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            sha256 = b""
        if len(sha256) != 32:
            raise serializers.ValidationError("Expected a SHA-256: 64 hexadecimal digits, or 44 characters of base64.")
        if sha256.hex() == HASH_OF_NOTHING:
            raise serializers.ValidationError("This is the hash of an empty text.")
        return sha256


class WordsField(serializers.ListField):
    """A list of texts, or one text with spaces between them."""

    def to_internal_value(self, data: Any) -> list[Any]:
        return list(super().to_internal_value(data.split() if isinstance(data, str) else data))


class Row(serializers.Serializer[Any]):
    """`id` is the row's id in the other system."""

    type = serializers.CharField()
    id = PrintableField(max_length=LONGEST_ID)

    def to_internal_value(self, data: Any) -> Any:
        if unknown := sorted(data.keys() - self.fields.keys()):
            raise serializers.ValidationError(
                {name: [f"Rows of type {data['type']} have no such member."] for name in unknown}
            )
        return super().to_internal_value(data)


class OrganizationRow(Row):
    """Without a `parent` it is a root, which pays for all beneath it. The parent's row comes first."""

    name = PrintableField(max_length=100)
    parent = serializers.CharField(max_length=LONGEST_ID, required=False)  # type: ignore[assignment]
    timezone = serializers.CharField(max_length=64, default="", validators=[timezones.validate])


class OwnedRow(Row):
    """`organization` is the id of its row, or of one that is here already (`acct_…`)."""

    organization = serializers.CharField(max_length=LONGEST_ID)


class PersonRow(OwnedRow):
    email = EmailField(max_length=250)
    role = serializers.ChoiceField(Membership.Role.choices)


class BillingAccountRow(OwnedRow):
    name = PrintableField(max_length=100)
    email = EmailField(max_length=250)
    country = CountryField()
    currency = serializers.CharField(required=False)
    line1 = PrintableField(max_length=100, required=False)
    line2 = PrintableField(max_length=100, required=False)
    city = PrintableField(max_length=50, required=False)
    state = PrintableField(max_length=50, required=False)
    postal_code = PrintableField(max_length=10, required=False)
    vat_id = PrintableField(max_length=30, required=False)
    stripe_customer = serializers.RegexField(r"^cus_\w{1,90}$", required=False)
    card_id = serializers.RegexField(r"^(pm|card|src)_\w{1,59}$", required=False)
    card_brand = PrintableField(max_length=20, required=False)
    card_last4 = serializers.RegexField(r"^\d{4}$", required=False)
    card_exp_month = IntegerField(min_value=1, max_value=12, required=False)
    card_exp_year = IntegerField(min_value=2000, max_value=2100, required=False)
    card_fingerprint = PrintableField(max_length=64, default="")

    def validate_currency(self, value: str) -> str:
        if value.upper() not in minor_units.MINIMUMS:
            raise serializers.ValidationError("Must be the code of a currency that can be charged, such as EUR.")
        return value.upper()

    def validate(self, attrs: Any) -> Any:
        present = [name for name in CARD if name in attrs]
        if present:
            missing = [name for name in ("stripe_customer", *CARD) if name not in attrs]
            if missing:
                raise serializers.ValidationError({name: ["A card needs this."] for name in missing})
        return attrs


class BalanceRow(OwnedRow):
    """A lot of credits, or a debt, which is below zero."""

    id = PrintableField(max_length=LONGEST_BALANCE_ID)
    amount = AmountSerializerField(min_value=-LARGEST, max_value=LARGEST)
    category = serializers.ChoiceField(Grant.Category.choices, default=Grant.Category.PAID)
    priority = IntegerField(min_value=0, max_value=100, default=Grant.ORDINARY)
    expires_at = MomentField(default=None)

    def validate_amount(self, value: Decimal) -> Decimal:
        if not value:
            raise serializers.ValidationError("Must not be 0.")
        return value


class KeyRow(OwnedRow):
    """`sha256` is that of the whole secret; `prefix` and `last4` are what may be shown of it."""

    name = PrintableField(max_length=100)
    sha256 = HashField()
    prefix = PrintableField(max_length=LONGEST_HINT - 5, default="")
    last4 = PrintableField(max_length=4, default="")
    description = PrintableField(max_length=500, default="")
    environment = serializers.ChoiceField(ApiKey.Environment.choices, default=ApiKey.Environment.LIVE)
    permissions = WordsField(child=serializers.CharField(), default=list)
    expires_at = MomentField(default=None)
    allowed_cidrs = WordsField(child=NetworkField(), default=list)
    rate_limit = IntegerField(min_value=1, max_value=LARGEST_RATE, default=None)
    rate_limit_window_seconds = IntegerField(min_value=1, max_value=LONGEST_WINDOW_SECONDS, default=None)
    monthly_budget = BudgetField(default=None)

    def validate_permissions(self, value: list[str]) -> list[str]:
        try:
            key_permissions.check(value, frozenset())
        except InvalidField as error:
            raise serializers.ValidationError(error.errors[0]["detail"]) from error
        return value

    def validate(self, attrs: Any) -> Any:
        if (attrs["rate_limit"] is None) != (attrs["rate_limit_window_seconds"] is None):
            raise serializers.ValidationError({"rate_limit_window_seconds": ["A rate limit is a number and a window."]})
        return attrs


class UsageRow(OwnedRow):
    """What was used in a month or on a day. `key` is the id of the key's row."""

    period = PeriodField()
    meter = serializers.CharField(max_length=50)
    key = serializers.CharField(max_length=LONGEST_ID, required=False)
    endpoint = PrintableField(max_length=200, default="")
    environment = serializers.ChoiceField(ApiKey.Environment.choices, default=ApiKey.Environment.LIVE)
    requests = IntegerField(min_value=1, max_value=MOST_REQUESTS)
    failed = IntegerField(min_value=0, max_value=MOST_REQUESTS, default=0)
    quantity = NumberField(min_value=ZERO, required=False)
    credits = NumberField(min_value=ZERO, default=ZERO)

    def validate(self, attrs: Any) -> Any:
        if attrs["failed"] > attrs["requests"]:
            raise serializers.ValidationError({"failed": ["Must not be more than the requests."]})
        return {"quantity": Decimal(attrs["requests"]), **attrs}


TYPES: dict[str, type[Row]] = {
    "organization": OrganizationRow,
    "person": PersonRow,
    "billing_account": BillingAccountRow,
    "balance": BalanceRow,
    "key": KeyRow,
    "usage": UsageRow,
}

Errors = list[tuple[str, str]]  # the member, empty for the whole row, and a sentence


def check(members: Mapping[str, Any]) -> tuple[dict[str, Any], Errors]:
    """The values of a row, or what is wrong with it. A null member counts as missing."""
    members = {name: value for name, value in members.items() if value is not None}
    row_type = members.get("type")
    if not isinstance(row_type, str) or row_type not in TYPES:
        return {}, [("type", f"Expected one of {', '.join(TYPES)}.")]
    row = TYPES[row_type](data=members)
    if row.is_valid():
        return dict(row.validated_data), []
    return {}, list(_flat(row.errors))


def _flat(errors: Any, name: str = "") -> Any:
    """Pairs out of DRF's nested errors. Those of a list have the number of the item."""
    if isinstance(errors, Mapping):
        for key, below in errors.items():
            yield from _flat(below, f"{name}.{key}" if name else ("" if key == "non_field_errors" else str(key)))
    else:
        for detail in errors:
            yield name, str(detail)
