"""The billing account in the shape of MikroCloud's Accounts API: `/v1/account`."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema, extend_schema_field, inline_serializer
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.api.fields import EmailField
from accounts.credentials import credential_of, organization_of
from accounts.lib import countries, timezones
from billing import accounts, clock
from billing.api import mikrocloud_examples
from billing.api.fields import AmountSerializerField
from billing.ledger import posting
from billing.models import BillingAccount


class CountryField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data).upper()
        if code not in countries.names():
            raise serializers.ValidationError("Must be an ISO 3166-1 alpha-2 country code, such as AU.")
        return code


class AddressSerializer(serializers.Serializer[Any]):
    city = serializers.CharField(max_length=50, allow_blank=True, required=False)
    country = CountryField()
    line1 = serializers.CharField(max_length=100, allow_blank=True, required=False)
    line2 = serializers.CharField(max_length=100, allow_blank=True, required=False)
    postal_code = serializers.CharField(max_length=10, allow_blank=True, required=False)
    state = serializers.CharField(max_length=50, allow_blank=True, required=False)


class AccountSerializer(serializers.Serializer[BillingAccount]):
    """The account object. `name`, `email` and `address` are writable; an update changes only what it contains."""

    id = serializers.CharField(source="public_id", read_only=True)
    name = serializers.CharField(max_length=100)
    email = EmailField(max_length=250)
    currency = serializers.CharField(read_only=True)
    balance = serializers.SerializerMethodField()
    address = AddressSerializer(source="*")
    created_at = serializers.SerializerMethodField()

    @extend_schema_field(AmountSerializerField())
    def get_balance(self, account: BillingAccount) -> Decimal:
        ledger = posting.current(account.organization_id, clock.now(account.organization))
        return ledger.balance if ledger else Decimal(0)

    def get_created_at(self, account: BillingAccount) -> str:
        """`YYYY-MM-DD HH:MM:SS` in the time zone of the token."""
        zone = timezones.zone(credential_of(self.context["request"]).timezone)
        return account.created_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


class NewAddressSerializer(serializers.Serializer[Any]):
    country = CountryField()


class NewAccountSerializer(serializers.Serializer[Any]):
    """The fields of a new account. Other members are ignored, as the reference says."""

    name = serializers.CharField(max_length=100)
    email = EmailField(max_length=250)
    address = NewAddressSerializer(source="*")


NoAccountSerializer = inline_serializer(
    "NoAccount", {"message": serializers.CharField(), "documentation_url": serializers.URLField()}
)


class AccountView(APIView):
    scopes = {
        "get": "account:read",
        "post": "account:write",
        "put": "account:write",
        "patch": "account:write",
        "delete": "account:write",
    }
    refusals = {"delete": (409,)}

    @extend_schema(responses={200: AccountSerializer, 422: NoAccountSerializer}, examples=mikrocloud_examples.RETRIEVED)
    def get(self, request: Request) -> Response:
        """The billing account of the current organization."""
        account = accounts.find(organization_of(request))
        return self._account(account) if account else _no_account()

    @extend_schema(
        request=NewAccountSerializer, responses={201: AccountSerializer}, examples=mikrocloud_examples.CREATED
    )
    def post(self, request: Request) -> Any:
        """Create the billing account from `name`, `email` and `address.country`. Other members are ignored."""
        serializer = NewAccountSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)

        def effect() -> Response:
            account = accounts.create(organization_of(request), **serializer.validated_data)
            return self._account(account, status.HTTP_201_CREATED)

        return idempotency.once(request, effect)

    @extend_schema(
        request=AccountSerializer,
        responses={200: AccountSerializer, 422: NoAccountSerializer},
        examples=mikrocloud_examples.UPDATED,
    )
    def put(self, request: Request) -> Response:
        """Update the given fields. An empty string clears a field."""
        account = accounts.find(organization_of(request))
        if account is None:
            return _no_account()
        serializer = AccountSerializer(account, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self._account(accounts.update(account, serializer.validated_data))

    @extend_schema(
        request=AccountSerializer,
        responses={200: AccountSerializer, 422: NoAccountSerializer},
        examples=mikrocloud_examples.UPDATED,
    )
    def patch(self, request: Request) -> Response:
        """The same as PUT."""
        return self.put(request)

    @extend_schema(responses={204: None, 422: NoAccountSerializer})
    def delete(self, request: Request) -> Response:
        """Close the account. Its balance must be 0, otherwise the response is 409 `account_not_settled`."""
        if accounts.find(organization_of(request)) is None:
            return _no_account()
        organization = organization_of(request)
        accounts.close(organization, now=clock.now(organization))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _account(self, account: BillingAccount, code: int = status.HTTP_200_OK) -> Response:
        return Response(AccountSerializer(account, context={"request": self.request}).data, status=code)


def _no_account() -> Response:
    """The documented error, with exactly its two members."""
    return Response(
        {
            "message": "You need to create an account first",
            "documentation_url": f"{settings.BASE_URL}/docs",
        },
        status=status.HTTP_422_UNPROCESSABLE_ENTITY,
    )
